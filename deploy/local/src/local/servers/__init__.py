"""Servers: the Kafka and Postgres of one local system."""
