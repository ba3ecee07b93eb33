"""HTTP: requests, responses and problems, for every endpoint."""
