"""Metrics: every number that the pacer shows. No label names a profile: each label value lives for ever."""

from prometheus_client import Counter, Gauge, Histogram

TAKEN = Counter("spreader_taken_deliveries", "Deliveries taken into the queue.")
RELEASED = Counter("spreader_released_deliveries", "Deliveries released to the sender.")
LATENESS = Histogram(
    "spreader_release_lateness_seconds",
    "From the moment a release was due to the moment it was made, in wall seconds.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
ENDED = Counter("spreader_ended_deliveries", "Held deliveries that ended without a release.", ["state"])
DUE_PROFILES = Gauge("spreader_due_profiles", "Profiles that the last turn looked at.")
