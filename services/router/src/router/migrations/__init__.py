"""The history of the schema `router`."""
