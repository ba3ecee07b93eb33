"""Core: what the sender decides, as pure functions: what an answer means for a delivery, and which events tell it."""
