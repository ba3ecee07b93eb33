"""Recipients: phone numbers that operators type or import, and what is known about a person."""
