"""Bench of the stats: counts through kills, outcomes a second, and how long a day's history takes."""
