"""Local: the whole system on one machine, for trying it out and for the tests."""
