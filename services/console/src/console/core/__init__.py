"""Console core: pure functions. They turn API responses into rows, bars and texts, and forms into request bodies."""
