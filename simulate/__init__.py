"""Simulate: `python -m simulate` runs years of the release policy on a virtual clock. It is not shipped."""
