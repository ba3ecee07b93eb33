"""Phones: what the console knows about the phones of a package, without the network."""
