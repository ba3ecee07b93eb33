"""Metrics: every number that the sender shows."""

from typing import get_args

from prometheus_client import Counter, Gauge, Histogram

from sender.core.claim_result import Status
from sender.core.retry_policy import Failure
from spreader.contract.configuration import Driver
from spreader.contract.events import Lane
from spreader.telemetry.metrics import from_zero

# No label names a profile, a package or a recipient: those grow with customers.
SENDS = Counter("spreader_sends", "Calls of a gateway, by its answer.", ["lane", "driver", "result"])
REPLY_SECONDS = Histogram(
    "spreader_reply_seconds",
    "From the acceptance of a reply to the gateway's yes, in wall seconds.",
    buckets=(0.025, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 30),
)
SETTLED = Counter("spreader_sender_settled_deliveries", "Deliveries that ended in the sender.", ["lane", "status"])
UNSETTLED = Gauge(
    "spreader_sender_unsettled_deliveries", "Deliveries with the sender, of all instances together.", ["lane"]
)
OVERDUE_SECONDS = Gauge(
    "spreader_sender_overdue_seconds", "How long the one that is due longest waits to be claimed.", ["lane"]
)
UNPUBLISHED = Gauge(
    "spreader_sender_unpublished_events", "Events of settled deliveries that are not in Kafka yet.", ["lane"]
)
UNPUBLISHED_OLDEST = Gauge("spreader_sender_unpublished_oldest_seconds", "How long the oldest of them waits.", ["lane"])
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

LANES, DRIVERS = get_args(Lane), get_args(Driver)
RESULTS = ("accepted", "in_doubt", *get_args(Failure))

from_zero(SENDS, LANES, DRIVERS, RESULTS)
from_zero(SETTLED, LANES, get_args(Status))
from_zero(SEND_SECONDS, LANES, DRIVERS)
from_zero(BREAKERS_OPEN, (*(f"{lane} lane" for lane in LANES), "asking"))
from_zero(CHECKS, DRIVERS, ("ok", "not_ok", "away"))
from_zero(NUMBER_CHECKS, ("known", "asked", "not_said", "too_soon", "before_a_send"))
from_zero(UPLOADS, ("made", "there"))
for each in (UNSETTLED, OVERDUE_SECONDS, UNPUBLISHED, UNPUBLISHED_OLDEST, IN_FLIGHT, IN_DOUBT, FENCED, REPUBLISHED):
    from_zero(each, LANES)
