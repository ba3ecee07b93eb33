"""Stats: counts what each profile sends and receives, and evaluates its health."""
