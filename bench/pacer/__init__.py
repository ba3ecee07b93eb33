"""Pacer: benchmarks of the pacer's queue and release loop with 10,000 and 1,000,000 held deliveries. Two task queues of
other projects, called its peers, are measured too."""
