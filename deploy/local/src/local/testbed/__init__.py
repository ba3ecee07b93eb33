"""Testbed: the servers and databases that tests run on."""
