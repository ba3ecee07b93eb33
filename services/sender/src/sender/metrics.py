"""Metrics: all numbers that the sender exports. No label names a profile, package or recipient, because there may be
any number of those."""

from typing import get_args

from prometheus_client import Counter, Gauge, Histogram

from sender.core.claim_result import SettledStatus
from sender.core.retry_policy import RefusalClass
from spreader.contract.configuration import Driver
from spreader.contract.events import Lane
from spreader.telemetry.metrics import from_zero

SENDS = Counter("spreader_sends", "Send calls to gateways, by result.", ["lane", "driver", "result"])
REPLY_SECONDS = Histogram(
    "spreader_reply_seconds",
    "Reply latency in wall time: accepted to gateway acknowledgement.",
    buckets=(0.025, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 30),
)
SETTLED = Counter("spreader_sender_settled_deliveries", "Deliveries settled by the sender.", ["lane", "status"])
UNSETTLED = Gauge(
    "spreader_sender_unsettled_deliveries", "Unsettled deliveries in the ledger, of all instances together.", ["lane"]
)
OVERDUE_SECONDS = Gauge(
    "spreader_sender_overdue_seconds",
    "How long the oldest due delivery has waited for a claim.",
    ["lane"],
)
UNPUBLISHED = Gauge(
    "spreader_sender_unpublished_events", "Events of settled deliveries that are not in Kafka yet.", ["lane"]
)
UNPUBLISHED_OLDEST = Gauge(
    "spreader_sender_unpublished_oldest_seconds", "Age of the oldest unpublished event.", ["lane"]
)
CARRIED = Gauge("spreader_sender_carried_lanes", "1 for a lane whose deliveries this process sends, else 0.", ["lane"])
IN_FLIGHT = Gauge("spreader_sends_in_flight", "Deliveries that this process has claimed now.", ["lane"])
SEND_SECONDS = Histogram(
    "spreader_send_seconds",
    "Duration of a send call to a gateway.",
    ["lane", "driver"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10),
)
IN_DOUBT = Counter(
    "spreader_sends_in_doubt",
    "Claimed deliveries that an earlier claim may have sent; the gateway is asked first.",
    ["lane"],
)
FENCED = Counter(
    "spreader_sender_fenced_results", "Results dropped because another worker had claimed the delivery.", ["lane"]
)
WITHOUT_TEXTS = Counter(
    "spreader_sender_results_without_texts",
    "Results that could not be stored as they were, and were stored without the texts of the gateway.",
    ["lane"],
)
REPUBLISHED = Counter("spreader_sender_republished_events", "Events that had to be published again.", ["lane"])
BREAKERS_OPEN = Gauge("spreader_gateway_breakers_open", "Gateway hosts with an open circuit breaker.", ["client"])
BREAKER_REFUSALS = Counter(
    "spreader_gateway_refused_calls", "Gateway calls not made because the host's circuit breaker was open."
)
UPLOADS = Counter(
    "spreader_sender_uploads",
    "Files needed by sends through a gateway that stores files: uploaded now (made) or before (there).",
    ["result"],
)
CHECKS = Counter("spreader_profile_checks", "Scheduled profile checks at gateways, by result.", ["driver", "result"])
NUMBER_CHECKS = Counter("spreader_number_checks", "Number checks, by where the result came from.", ["result"])
REPORTED = Counter("spreader_sender_heard_receipts", "Unsettled deliveries that a gateway's own report marked as sent.")

LANES, DRIVERS = get_args(Lane), get_args(Driver)
RESULTS = ("accepted", "in_doubt", *get_args(RefusalClass))

from_zero(SENDS, LANES, DRIVERS, RESULTS)
from_zero(SETTLED, LANES, get_args(SettledStatus))
from_zero(SEND_SECONDS, LANES, DRIVERS)
from_zero(BREAKERS_OPEN, (*(f"{lane} lane" for lane in LANES), "asking"))
from_zero(CHECKS, DRIVERS, ("ok", "not_ok", "away"))
from_zero(NUMBER_CHECKS, ("known", "asked", "not_said", "too_soon", "before_a_send"))
from_zero(UPLOADS, ("made", "there"))
PER_LANE = (UNSETTLED, OVERDUE_SECONDS, UNPUBLISHED, UNPUBLISHED_OLDEST, IN_FLIGHT, IN_DOUBT, FENCED, REPUBLISHED)
for metric in (*PER_LANE, WITHOUT_TEXTS, CARRIED):
    from_zero(metric, LANES)
