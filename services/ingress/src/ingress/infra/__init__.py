"""Infrastructure: the outbox, the publisher and the client of other services."""
