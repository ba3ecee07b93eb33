"""Turns: compares the whole system of this checkout with the whole system of another commit. One run measures both in
turns."""
