"""Turns: the whole system of this checkout beside that of another commit, measured one after the other in one run."""
