"""Console core: pure functions that turn API responses into rows, bars and texts, and forms into requests."""
