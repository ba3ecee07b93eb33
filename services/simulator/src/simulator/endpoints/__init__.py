"""Endpoints: the simulator's HTTP side: what a driver calls, and what a tester reads and switches."""
