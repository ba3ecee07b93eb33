"""Core: the sender's decisions as pure functions. They decide what an answer means for a delivery, and which events
report it."""
