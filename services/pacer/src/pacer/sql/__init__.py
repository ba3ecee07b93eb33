"""Statements of the pacer, by feature, with the rows that they take and return."""
