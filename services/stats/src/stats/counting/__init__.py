"""Counting: folds events into counts and closures, and audits the limits by the counts."""
