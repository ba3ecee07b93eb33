"""Metrics: every number that the pacer shows. No label names a profile: each label value lives for ever."""

from prometheus_client import Counter, Gauge, Histogram

from spreader.contract.bounds import Bound
from spreader.telemetry.metrics import from_zero

TAKEN = Counter("spreader_taken_deliveries", "Deliveries taken into the queue.")
HELD = Gauge("spreader_held_deliveries", "Deliveries in the queue, of all instances together.")
DUE = Gauge("spreader_due_deliveries", "Those of them whose own moment has come: a bound of their profile holds them.")
RELEASED = Counter("spreader_released_deliveries", "Deliveries released to the sender.")
BOUND_RELEASES = Counter(
    "spreader_bound_releases", "Releases by what the profile waited for last, as this process saw it.", ["bound"]
)
BOUND_WAITS = Counter("spreader_bound_waits", "Looks at a profile that ended in waiting, by the bound.", ["bound"])
LATENESS = Histogram(
    "spreader_release_lateness_seconds",
    "From the moment a release was due to the moment it was made, in wall seconds.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
ENDED = Counter("spreader_ended_deliveries", "Held deliveries that ended without a release.", ["state"])
DUE_PROFILES = Gauge("spreader_due_profiles", "Profiles that the last turn looked at.")

NOTHING = "nothing"

from_zero(BOUND_RELEASES, (*Bound, NOTHING))
from_zero(BOUND_WAITS, Bound)
from_zero(ENDED, ("expired", "returned", "cancelled"))
