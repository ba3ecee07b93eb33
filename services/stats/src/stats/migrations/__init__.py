"""Migrations of the schema `stats`."""
