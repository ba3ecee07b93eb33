"""Forecast: when the waiting deliveries of a package will be released, from a simulation of the release policy."""
