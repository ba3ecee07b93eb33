"""Gateways: the drivers, and what the sender knows about gateways."""
