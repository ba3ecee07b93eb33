"""Ingress: HTTP in. It owns packages and profiles, accepts messages, and shows what became of them."""
