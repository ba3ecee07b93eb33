"""Intake: the topics that the pacer consumes, and what their records change."""
