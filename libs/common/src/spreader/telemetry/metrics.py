"""Metrics: the metrics of the common library, which every service exports.

No label gets more values when there are more customers. Every series that a dashboard or an alert rule names exists
from the start, with the value 0.
"""

from collections.abc import Iterable
from itertools import product

from prometheus_client import Counter, Gauge, Histogram

CONSUMED = Counter("spreader_consumed_records", "Records read from Kafka.", ["group"])
CONSUMER_LAG = Gauge(
    "spreader_consumer_lag_records", "Records that this process has not handled yet.", ["group", "topic"]
)
CONSUMER_OLDEST = Gauge(
    "spreader_consumer_oldest_seconds",
    "Age of the oldest unhandled record: since its writing while a handler works on it, else since it was first seen.",
    ["group", "topic"],
)
DEAD_LETTERS = Counter("spreader_dead_letters_records", "Records sent to the dead letter topic.", ["group"])
REFUSED = Counter("spreader_refused_records", "Records that Kafka refused for good.", ["topic"])
HANDLER_FAILURES = Counter("spreader_handler_failures", "Batches that failed and were tried again.", ["group"])
LOOP_FAILURES = Counter("spreader_loop_failures", "Failed steps of a background loop.", ["loop"])
TABLE_ROWS = Gauge("spreader_table_rows", "Rows of an in-memory table over a compacted topic.", ["topic"])
COMPONENT_NOT_READY = Gauge("spreader_troubled_parts", "1 for a component that is not ready.", ["part"])
FAILING_WORK = Gauge(
    "spreader_failing_work", "1 for a loop, group or writer that has failed 5 times in a row, or for 60 s.", ["name"]
)
EVENT_LOOP_STOPS = Histogram(
    "spreader_event_loop_stop_seconds",
    "Stops of the event loop that were longer than 50 ms: no request or record was handled meanwhile.",
    buckets=(0.1, 0.2, 0.5, 1, 2, 5, 10),
)
DELETED_ROWS = Counter("spreader_deleted_rows", "Rows that were deleted because they were old.", ["table"])
OLDEST_ROW = Gauge("spreader_oldest_row_seconds", "Age of the oldest row of a table with a retention.", ["table"])
OVERDUE_ROWS = Gauge(
    "spreader_overdue_rows_seconds",
    "How long the oldest row that may be deleted has been kept beyond its retention. 0: there is none.",
    ["table"],
)
STALLED_READERS = Counter(
    "spreader_stalled_readers", "Connections that were cut because their client read nothing for too long."
)
OPEN_ERASURES = Gauge("spreader_erasures_unfinished", "Erasures of persons that this service has not finished.")
ERASED_ROWS = Counter("spreader_erased_rows", "Rows that erasures of persons deleted or changed.", ["table"])
BUILD = Gauge("spreader_build_info", "Always 1; the labels name the service and its version.", ["service", "version"])


def from_zero(metric: Counter | Gauge | Histogram, *labels: Iterable[str]) -> None:
    """Create the series of every combination of label values with the value 0. Otherwise a series would be missing
    until its first event."""
    for values in product(*labels):
        metric.labels(*values)
