"""Metrics: every number that the simulator shows."""

from prometheus_client import Counter, Gauge

SENDS = Counter("spreader_simulator_sends", "Sends that reached the gateway.", ["answer"])
SENDS_IN_FLIGHT = Gauge("spreader_simulator_sends_in_flight_count", "Sends that wait for the gateway's answer.")
LEDGER_LINES = Gauge("spreader_simulator_ledger_lines", "Lines of the ledger.")
FAULT_HITS = Counter("spreader_simulator_fault_hits", "Sends that a fault has met.", ["kind"])
CALLBACKS = Counter("spreader_simulator_callbacks", "Calls of a webhook.", ["event", "result"])
CALLBACKS_WAITING = Gauge("spreader_simulator_callbacks_waiting_count", "Callbacks that wait for their moment.")
