"""Simulator: a stand-in for WhatsApp gateways that keeps its own account of what it was asked to send."""
