"""Pacer: benchmarks of its queue and release loop with 10,000 and 1,000,000 held deliveries. Its peers, two task queues
of others, are measured too."""
