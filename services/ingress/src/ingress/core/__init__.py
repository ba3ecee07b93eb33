"""Core: what the ingress decides, as pure functions over values."""
