"""Migrations: the history of the ingress's tables."""
