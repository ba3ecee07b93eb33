"""The pacer: holds open deliveries until their release time; the only authority on limits."""
