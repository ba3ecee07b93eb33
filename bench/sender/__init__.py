"""Sender: what one process hands to a gateway and what the ingress takes from one, beside the bare calls."""
