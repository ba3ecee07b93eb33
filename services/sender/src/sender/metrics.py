"""Metrics: every number that the sender shows."""

from prometheus_client import Counter, Gauge, Histogram

# No label names a profile, a package or a recipient: those grow with customers.
SENDS = Counter("spreader_sends", "Calls of a gateway, by its answer.", ["lane", "driver", "result"])
SETTLED = Counter("spreader_sender_settled_deliveries", "Deliveries that ended in the sender.", ["lane", "status"])
IN_FLIGHT = Gauge("spreader_sends_in_flight", "Deliveries that are claimed by this process now.", ["lane"])
SEND_SECONDS = Histogram(
    "spreader_send_seconds",
    "From the call of a gateway to its answer.",
    ["lane", "driver"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10),
)
IN_DOUBT = Counter("spreader_sends_in_doubt", "Deliveries that may have been sent: the gateway was asked.", ["lane"])
FENCED = Counter("spreader_sender_fenced_results", "Results that came after another worker's claim.", ["lane"])
REPUBLISHED = Counter("spreader_sender_republished_events", "Events that had to be published again.", ["lane"])
BREAKERS_OPEN = Gauge("spreader_gateway_breakers_open", "Hosts of gateways that are let alone now.", ["client"])
BREAKER_REFUSALS = Counter("spreader_gateway_refused_calls", "Calls that were not made: the host is let alone.")
UPLOADS = Counter("spreader_sender_uploads", "Files for gateways that keep them, by whether one was there.", ["result"])
CHECKS = Counter("spreader_profile_checks", "Profiles that were asked about at their gateway.", ["driver", "result"])
NUMBER_CHECKS = Counter("spreader_number_checks", "Numbers asked for, by where the answer came from.", ["result"])
HEARD = Counter("spreader_sender_heard_receipts", "Deliveries in doubt that a gateway's own report settled.")
