"""Bench of stats: whether its counts stay exact despite kills, how many outcomes it folds a second, and how fast it
answers a query for a day's history."""
