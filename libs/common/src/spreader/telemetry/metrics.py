"""Metrics: every number that the common plumbing shows, for all services alike.

No label grows with customers. Whatever a dashboard or a rule names is there from the start, at 0.
"""

from collections.abc import Iterable
from itertools import product

from prometheus_client import Counter, Gauge, Histogram

CONSUMED = Counter("spreader_consumed_records", "Records read from Kafka.", ["group"])
CONSUMER_LAG = Gauge("spreader_consumer_lag_records", "Records that this process has to handle.", ["group", "topic"])
CONSUMER_OLDEST = Gauge(
    "spreader_consumer_oldest_seconds",
    "How long the oldest of them waits: since it was written where it is in work, else since it was first seen.",
    ["group", "topic"],
)
DEAD_LETTERS = Counter("spreader_dead_letters_records", "Records buried in the dead letter.", ["group"])
HANDLER_FAILURES = Counter("spreader_handler_failures", "Batches that failed and were tried again.", ["group"])
LOOP_FAILURES = Counter("spreader_loop_failures", "Turns of a background loop that failed.", ["loop"])
TABLE_ROWS = Gauge("spreader_table_rows", "Rows of an in-memory table over a compacted topic.", ["topic"])
COMPONENT_NOT_READY = Gauge("spreader_troubled_parts", "1 for a part that keeps the service from its work.", ["part"])
BUILD = Gauge("spreader_build_info", "1; the labels say what runs.", ["service", "version"])


def from_zero(metric: Counter | Gauge | Histogram, *labels: Iterable[str]) -> None:
    """Show a metric at 0 for every combination of its labels' values: what never happened is a 0, not a gap."""
    for values in product(*labels):
        metric.labels(*values)
