"""SQL: the statements of the pacer, by feature."""
