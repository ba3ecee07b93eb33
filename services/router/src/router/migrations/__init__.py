"""Migrations of the schema `router`."""
