"""Core: what the simulator decides, as pure functions: which fault meets a send, and what a customer does."""
