"""Dispatch: claims deliveries and sends them, each claim in a task of its own."""
