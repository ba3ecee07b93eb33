"""Pacer: what its queue and its release loop do at ten thousand and at a million held deliveries, beside its peers."""
