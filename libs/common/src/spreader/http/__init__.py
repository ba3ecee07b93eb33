"""HTTP: problems, cursors and the API key, the same for every service."""
