"""Counting: events folded into counts and closures, and what is derived from the counts alone."""
