"""Router: assigns a profile to each delivery. The conversation decides for a reply, and a strategy for an open
message."""
