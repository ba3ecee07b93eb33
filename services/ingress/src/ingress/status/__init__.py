"""Status: endpoints and projection for the status of messages, deliveries and conversations."""
