"""Data: the API client, its cache, sessions, uploads and downloads."""
