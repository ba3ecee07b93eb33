"""Peers: other job queues that hold work until a given time."""
