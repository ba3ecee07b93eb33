"""Metrics: every number that the console shows about itself."""

from prometheus_client import Counter

POLLS = Counter(
    "spreader_console_polls", "Questions to other services, by whether they were answered.", ["asked", "answered"]
)
