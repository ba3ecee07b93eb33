"""Core: the decisions of stats, as pure functions over values."""
