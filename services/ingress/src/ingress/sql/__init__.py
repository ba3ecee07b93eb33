"""SQL: the statements of the ingress, by feature."""
