"""Intake: the handlers that change which deliveries are held."""
