"""Linking: links accounts at their gateways, and sets and verifies the webhooks of profiles."""
