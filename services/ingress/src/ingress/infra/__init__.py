"""Infrastructure: the outbox, the publisher, and the client for other services."""
