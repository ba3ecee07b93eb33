"""Metrics: every number that the ingress shows."""

from typing import get_args

from prometheus_client import Counter, Gauge, Histogram

from ingress.core.reports import Nothing
from ingress.core.webhook_parsers import Refusal
from spreader.contract.configuration import Driver
from spreader.contract.events import Lane
from spreader.telemetry.metrics import from_zero

ACCEPTED = Counter("spreader_accepted_deliveries", "Recipients of accepted messages.", ["lane"])
ACCEPT_SECONDS = Histogram("spreader_accept_seconds", "Until a message is in Kafka (or in the outbox).", ["lane"])
UNROUTED = Counter("spreader_unanswered_messages", "Messages whose answer went out before the callback came.", ["lane"])
RELAYED = Counter("spreader_outbox_records", "Records published from the outbox.")
OUTBOX_WAITING = Gauge("spreader_outbox_waiting_records", "Records in the outbox, of all instances together.")
OUTBOX_OLDEST = Gauge("spreader_outbox_oldest_seconds", "How long the first of them waits.")
UNSETTLED = Gauge(
    "spreader_unsettled_deliveries",
    "Deliveries without an end that have stood where they are for 15 minutes, by who has them by our books.",
    ["service"],
)
PROBLEMS = Counter("spreader_api_problems", "Requests that were not served, by the kind of problem.", ["kind"])
OPT_OUTS = Counter("spreader_opt_outs_total", "Customers who opted out by a word of their own.")
WEBHOOKS = Counter("spreader_webhook_events", "Reports of gateways that were taken.", ["driver", "event"])
WEBHOOK_REFUSALS = Counter("spreader_webhook_refusals", "Calls that were not believed.", ["driver", "reason"])
WEBHOOKS_PASSED = Counter("spreader_webhook_passed_over", "Reports taken and of no use.", ["driver", "reason"])
RECEIPTS = Counter("spreader_receipts", "Receipts that found their delivery.", ["status"])
WAITING_RECEIPTS = Counter("spreader_waiting_receipts", "Receipts that came too early: what became of them.", ["fate"])

WEBHOOK_EVENTS = ("receipt", "echo", "message", "wish", "standing")
HOLDING = ("router", "pacer", "sender")

for each in (ACCEPTED, ACCEPT_SECONDS, UNROUTED):
    from_zero(each, get_args(Lane))
from_zero(UNSETTLED, HOLDING)
from_zero(WEBHOOKS, get_args(Driver), WEBHOOK_EVENTS)
from_zero(WEBHOOK_REFUSALS, get_args(Driver), get_args(Refusal))
from_zero(WEBHOOKS_PASSED, get_args(Driver), get_args(Nothing.__annotations__["why"]))
from_zero(WAITING_RECEIPTS, ("kept", "matched", "forgotten"))
