"""Sender: delivers through gateway drivers; the only service that talks to gateways."""
