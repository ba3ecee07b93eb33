"""Counting: outcomes and messages folded into counts."""
