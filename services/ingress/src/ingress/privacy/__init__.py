"""Privacy: what is known about a person, and the erasure of a person from every service."""
