"""Bench of stats: exact counts despite kills, outcomes a second, and the time of a day's history."""
