"""Metrics: every number that the router shows."""

from prometheus_client import Counter

ROUTED = Counter("spreader_routed_deliveries", "Deliveries given a profile.", ["lane", "strategy"])
REFUSED = Counter("spreader_refused_deliveries", "Deliveries that no profile could take.", ["lane"])
