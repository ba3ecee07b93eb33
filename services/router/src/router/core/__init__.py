"""Core: the decisions of the router, as pure functions over values."""
