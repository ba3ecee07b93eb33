"""Bench: the speed of the system, measured beside the barest programs that do the same work on the same machine."""
