"""What one console process costs with many profiles on many open pages."""
