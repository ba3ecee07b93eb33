"""API: the HTTP endpoints of stats."""
