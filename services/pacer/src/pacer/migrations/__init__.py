"""The history of the schema `pacer`."""
