"""Bench of stats: whether its counts stay exact despite kills, and how fast it folds outcomes and answers queries."""
