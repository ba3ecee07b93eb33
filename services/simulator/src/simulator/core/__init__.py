"""Simulator core: pure rules for what a gateway, WhatsApp and customers do with a send."""
