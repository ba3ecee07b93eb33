"""Kafka: consumers, producers, offsets and compacted tables."""
