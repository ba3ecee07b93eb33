"""Release: the loop that releases held deliveries, and its maintenance."""
