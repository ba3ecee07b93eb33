"""Sender bench: sends and webhooks a second of one process, compared with bare HTTP calls."""
