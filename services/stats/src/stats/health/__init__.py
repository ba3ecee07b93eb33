"""Health: the evaluation of profiles, and the publication of their states and alerts."""
