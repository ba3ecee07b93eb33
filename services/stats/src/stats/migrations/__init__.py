"""The history of the schema `stats`."""
