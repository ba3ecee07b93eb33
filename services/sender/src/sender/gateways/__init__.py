"""Gateways: the drivers, and what the sender stores about files, numbers and profiles at gateways."""
