"""Peers: job queues that hold work until a moment, as others build what the pacer does."""
