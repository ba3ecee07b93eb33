"""Metrics: every number that the common plumbing shows, for all services alike."""

from prometheus_client import Counter, Gauge

CONSUMED = Counter("spreader_consumed_records", "Records read from Kafka.", ["group"])
DEAD_LETTERS = Counter("spreader_dead_letters_records", "Records buried in the dead letter.", ["group"])
HANDLER_FAILURES = Counter("spreader_handler_failures", "Batches that failed and were tried again.", ["group"])
LOOP_FAILURES = Counter("spreader_loop_failures", "Turns of a background loop that failed.", ["loop"])
TABLE_ROWS = Gauge("spreader_table_rows", "Rows of an in-memory table over a compacted topic.", ["topic"])
