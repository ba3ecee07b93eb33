"""Turns: measures the whole system of this checkout beside that of another commit. One run measures both in turns."""
