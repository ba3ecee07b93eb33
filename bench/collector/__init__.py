"""Collector: how long Python's garbage collector stops running services, and how much memory they use, with several
thresholds."""
