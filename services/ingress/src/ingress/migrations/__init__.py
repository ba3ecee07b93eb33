"""Migrations: the schema history of the ingress's tables."""
