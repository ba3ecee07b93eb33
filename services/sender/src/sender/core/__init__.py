"""Core: the sender's decisions as pure functions: what an answer means for a delivery, and which events report it."""
