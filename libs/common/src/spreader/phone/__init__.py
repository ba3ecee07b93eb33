"""Phone numbers: how one person's number is recognised, and where it is."""
