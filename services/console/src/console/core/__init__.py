"""What the console decides: which row, which bar, which word."""
