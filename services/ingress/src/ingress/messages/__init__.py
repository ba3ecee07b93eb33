"""Messages: how open messages and replies are accepted."""
