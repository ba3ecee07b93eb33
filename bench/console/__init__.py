"""Console bench: the cost of one console process with many profiles on many open pages."""
