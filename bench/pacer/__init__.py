"""Pacer: benchmarks of its queue and release loop with 10,000 and 1,000,000 held deliveries, and of its peers."""
