"""Configuration: packages and profiles, as operators set them."""
