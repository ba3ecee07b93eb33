"""Bench: the speed of the system, measured in one run with the bare limits of the same machine."""
