"""Endpoints: the HTTP APIs of the simulated gateways, and the simulator's own API for drivers and testers."""
