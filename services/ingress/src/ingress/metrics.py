"""Metrics: every metric of the ingress."""

from typing import get_args

from prometheus_client import Counter, Gauge, Histogram

from ingress.core.reports import IgnoredReason
from ingress.core.webhook_parsers import Refusal
from spreader.contract.configuration import Driver
from spreader.contract.events import Lane
from spreader.telemetry.metrics import from_zero

ACCEPTED = Counter("spreader_accepted_deliveries", "Recipients of accepted messages.", ["lane"])
ACCEPT_SECONDS = Histogram(
    "spreader_accept_seconds", "Time from a request until its message is in Kafka or in the outbox.", ["lane"]
)
UNANSWERED = Counter(
    "spreader_unanswered_messages", "Messages whose response was sent before their callback arrived.", ["lane"]
)
RELAYED = Counter("spreader_outbox_records", "Records published from the outbox.")
OUTBOX_WAITING = Gauge("spreader_outbox_waiting_records", "Records in the outbox, of all instances together.")
OUTBOX_OLDEST = Gauge("spreader_outbox_oldest_seconds", "Age of the oldest record in the outbox.")
UNSETTLED = Gauge(
    "spreader_unsettled_deliveries",
    "Unfinished deliveries without progress for 15 minutes, by the service that has them according to the ingress.",
    ["service"],
)
SHARED_ACCOUNTS = Gauge("spreader_shared_accounts", "Accounts at a gateway from which more than one profile sends.")
SEALED_CREDENTIALS = Gauge(
    "spreader_sealed_credentials", "Profiles with credentials, by the secret key that sealed them.", ["key"]
)
PROBLEMS = Counter("spreader_api_problems", "Requests that failed, by kind of problem.", ["kind"])
LARGE_BODIES_WAITING = Gauge("spreader_large_bodies_waiting", "Requests with a large body that wait for their turn.")
LARGE_BODIES_REFUSED = Counter(
    "spreader_large_bodies_refused", "Requests with a large body that were not accepted.", ["reason"]
)
OPT_OUTS = Counter("spreader_opt_outs_total", "Customers who opted out with an opt-out word.")
POSSIBLE_OPT_OUTS = Counter(
    "spreader_possible_opt_outs",
    "Messages that probably ask for an end, and decisions about them.",
    ["event"],
)
UNDECIDED_OPT_OUTS = Gauge("spreader_undecided_opt_outs", "Possible opt-outs about which nobody has decided.")
HIDDEN_MESSAGES = Counter(
    "spreader_hidden_messages", "Messages of people whose number was not known, by what became of them.", ["fate"]
)
WAITING_HIDDEN_MESSAGES = Gauge(
    "spreader_waiting_hidden_messages", "Messages that are kept until the number of their sender is known."
)
WEBHOOKS = Counter("spreader_webhook_events", "Reports of gateways that had an effect.", ["driver", "event"])
WEBHOOK_REFUSALS = Counter(
    "spreader_webhook_refusals", "Webhook calls with an invalid signature or token.", ["driver", "reason"]
)
WEBHOOKS_IGNORED = Counter(
    "spreader_webhook_passed_over", "Reports of gateways that were ignored.", ["driver", "reason"]
)
RECEIPTS = Counter("spreader_receipts", "Receipts that were matched with a delivery.", ["status"])
ERASURE_OLDEST = Gauge(
    "spreader_erasure_oldest_seconds", "Age of the oldest erasure of a person that a service has not finished."
)
WAITING_RECEIPTS = Counter(
    "spreader_waiting_receipts", "Receipts that arrived before their delivery, by what became of them.", ["fate"]
)

WEBHOOK_EVENTS = ("receipt", "echo", "message", "edit", "unexpected", "wish", "new_number", "standing")
SERVICES = ("router", "pacer", "sender")

for metric in (ACCEPTED, ACCEPT_SECONDS, UNANSWERED):
    from_zero(metric, get_args(Lane))
from_zero(LARGE_BODIES_REFUSED, ("queue full", "late", "slow", "failed"))
from_zero(UNSETTLED, SERVICES)
from_zero(SEALED_CREDENTIALS, ("newest", "older", "unknown"))
from_zero(WEBHOOKS, get_args(Driver), WEBHOOK_EVENTS)
from_zero(WEBHOOK_REFUSALS, get_args(Driver), get_args(Refusal))
from_zero(WEBHOOKS_IGNORED, get_args(Driver), get_args(IgnoredReason))
from_zero(POSSIBLE_OPT_OUTS, ("listed", "suppressed", "dismissed"))
from_zero(HIDDEN_MESSAGES, ("kept", "processed"))
from_zero(WAITING_RECEIPTS, ("kept", "matched", "forgotten"))
