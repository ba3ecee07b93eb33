"""`python -m simulate` runs years of the release policy on a virtual clock: a development tool, it ships in nothing."""
