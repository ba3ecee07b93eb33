"""Router: assigns a profile to each delivery, by the conversation for replies and by a strategy for open messages."""
