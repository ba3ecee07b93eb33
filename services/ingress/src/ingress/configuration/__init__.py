"""Configuration: the packages and profiles that operators set up."""
