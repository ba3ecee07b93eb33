"""What stats decides: pure functions over values."""
