"""Dispatch: claimed deliveries on their way to a gateway."""
