"""Release: the loop that releases held deliveries, and the loops that publish, hand back and clean up."""
