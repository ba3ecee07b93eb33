"""Local: the whole system on one machine, for trials and tests."""
