"""Ingress: the HTTP API and the webhooks. It owns packages and profiles, accepts messages, and shows the status of
every message."""
