"""Linking: links accounts at their gateways, and sets and verifies their webhooks."""
