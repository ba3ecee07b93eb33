"""Webhooks: verify the calls of gateways and turn them into events."""
