"""Collector: the stops by Python's garbage collector in running services, and their memory, with several thresholds."""
