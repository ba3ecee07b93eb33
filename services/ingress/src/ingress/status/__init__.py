"""Status: the state of messages, deliveries and conversations."""
