"""Metrics: every number that the ingress shows."""

from prometheus_client import Counter, Histogram

ACCEPTED = Counter("spreader_accepted_deliveries", "Recipients of accepted messages.", ["lane"])
ACCEPT_SECONDS = Histogram("spreader_accept_seconds", "Until a message is in Kafka (or in the outbox).", ["lane"])
UNROUTED = Counter("spreader_unanswered_messages", "Messages whose answer went out before the callback came.", ["lane"])
RELAYED = Counter("spreader_outbox_records", "Records published from the outbox.")
OPT_OUTS = Counter("spreader_opt_outs_total", "Customers who opted out by a word of their own.")
WEBHOOKS = Counter("spreader_webhook_events", "Reports of gateways that were taken.", ["driver", "event"])
WEBHOOK_REFUSALS = Counter("spreader_webhook_refusals", "Calls that were not believed.", ["driver", "reason"])
WEBHOOKS_PASSED = Counter("spreader_webhook_passed_over", "Reports taken and of no use.", ["driver", "reason"])
RECEIPTS = Counter("spreader_receipts", "Receipts that found their delivery.", ["status"])
WAITING_RECEIPTS = Counter("spreader_waiting_receipts", "Receipts that came too early: what became of them.", ["fate"])
