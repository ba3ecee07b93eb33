"""Metrics: everything that the pacer measures. No label names a profile, because Prometheus keeps each label value for
ever."""

from prometheus_client import Counter, Gauge, Histogram

from spreader.contract.bounds import Bound
from spreader.telemetry.metrics import from_zero

TAKEN = Counter("spreader_taken_deliveries", "Assigned deliveries taken into the queue.")
HELD = Gauge("spreader_held_deliveries", "Held deliveries, of all instances together.")
DUE = Gauge("spreader_due_deliveries", "Held deliveries whose earliest release time has passed.")
WAITING = Gauge(
    "spreader_waiting_deliveries",
    "Held deliveries without a profile, because none can send; of all instances together.",
)
RELEASABLE = Gauge(
    "spreader_releasable_profiles",
    "Profiles whose next release is due and allowed now but not made yet, of all instances together.",
)
RELEASED = Counter("spreader_released_deliveries", "Deliveries released to the sender.")
BOUND_RELEASES = Counter(
    "spreader_bound_releases", "Releases by the bound that the profile waited for last, in this process.", ["bound"]
)
BOUND_WAITS = Counter("spreader_bound_waits", "Decisions of a release pass to wait, by bound.", ["bound"])
LATENESS = Histogram(
    "spreader_release_lateness_seconds",
    "Wall seconds from when a release was due to when it was made.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
ENDED = Counter("spreader_ended_deliveries", "Held deliveries that ended without a release, by state.", ["state"])
UNPUBLISHABLE = Counter(
    "spreader_unpublishable_deliveries", "Deliveries whose event could not be built, or was refused by Kafka for good."
)
WITHOUT_OUTCOME = Gauge(
    "spreader_releases_without_outcome",
    "Releases that have waited for their outcome so long that the sender is asked, found in the last look.",
)
DUE_PROFILES = Gauge("spreader_due_profiles", "Profiles in the last release pass.")
FORECASTS_WAITING = Gauge("spreader_forecasts_waiting", "Forecasts that wait for their turn.")
FORECASTS_REFUSED = Counter(
    "spreader_forecasts_refused", "Forecasts that were not made, by reason: queue full, late, failed.", ["reason"]
)
FORECAST_SECONDS = Histogram(
    "spreader_forecast_seconds",
    "Time of a forecast by purpose (answer, preview), waiting included.",
    ["purpose"],
    buckets=(0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15),
)

NOTHING = "nothing"
"""The `bound` label of a release whose profile has not waited for a bound in this process."""

from_zero(BOUND_RELEASES, (*Bound, NOTHING))
from_zero(BOUND_WAITS, Bound)
from_zero(ENDED, ("expired", "returned", "cancelled", "suppressed"))
from_zero(FORECASTS_REFUSED, ("queue full", "late", "failed"))
from_zero(FORECAST_SECONDS, ("answer", "preview"))
