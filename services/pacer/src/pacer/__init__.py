"""The pacer: holds open deliveries until their release time. No other service enforces the limits."""
