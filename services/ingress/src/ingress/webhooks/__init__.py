"""Webhooks: the calls of gateways, verified and turned into events."""
