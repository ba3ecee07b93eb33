"""Migrations: the history of the sender's tables."""
