"""Migrations: how the schema of a service gets its newest version, and helpers for migration files."""
