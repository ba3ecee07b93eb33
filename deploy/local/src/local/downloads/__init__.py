"""Downloads: programs that are fetched once into the user's cache."""
