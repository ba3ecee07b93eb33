"""Health: the evaluation of profiles, their closures and their alerts."""
