"""Migrations of the schema `pacer`."""
