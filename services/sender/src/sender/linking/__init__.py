"""Linking: links accounts at WAHA and Evolution, logs them out, and sets the webhooks of gateways."""
