"""Simulator: a stand-in for WhatsApp gateways, with an independent ledger of every send that reached it."""
