"""Router: assigns a profile to each delivery. For a reply, the conversation decides. For an open message, a strategy
decides."""
