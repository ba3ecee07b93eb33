"""Core: the decisions of the ingress, as pure functions."""
