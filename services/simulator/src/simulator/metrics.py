"""Metrics: every metric that the simulator exports."""

from prometheus_client import Counter, Gauge

SENDS = Counter("spreader_simulator_sends", "Sends that reached the gateway, by answer.", ["answer"])
SENDS_IN_FLIGHT = Gauge("spreader_simulator_sends_in_flight_count", "Sends without an answer yet.")
LEDGER_LINES = Gauge("spreader_simulator_ledger_lines", "Lines of the send ledger.")
FAULT_HITS = Counter("spreader_simulator_fault_hits", "Sends hit by an injected fault.", ["kind"])
WEBHOOK_CALLS = Counter("spreader_simulator_callbacks", "Webhook calls, by event and result.", ["event", "result"])
WEBHOOK_CALLS_WAITING = Gauge("spreader_simulator_callbacks_waiting_count", "Webhook calls that are scheduled.")
