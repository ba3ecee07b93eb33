"""Metrics: all metrics that stats exports."""

from typing import get_args

from prometheus_client import Counter, Gauge

from spreader.telemetry.metrics import from_zero
from stats.core.alerts import AlertState, Severity
from stats.core.breaches import WINDOWS
from stats.core.closures import CLOSURE_RULES
from stats.core.risks import CHECKS
from stats.core.sums import KINDS

# No metric has a label for profiles, because their number is not bounded. The HTTP API has the figures of profiles.
# `stats.health.package_gauges` bounds the number of packages that get a label value.
COUNTED = Counter("spreader_counted_facts", "Facts counted, each once.", ["kind"])
LATE_RECEIPTS = Counter("spreader_late_receipts", "Receipts that were not counted: their deliveries are forgotten.")
REPORTS = Counter("spreader_profile_reports", "Gateways' reports on profiles that were processed.")
STATES = Counter("spreader_published_states", "Changed profile states published.")
REMOVED = Counter("spreader_ended_profiles", "Removed profiles whose states and alerts were ended.")
JUDGED = Counter("spreader_judged_profiles", "Evaluations of a profile's health.")
ALERTS = Counter("spreader_alerts_changed", "Alerts published as raised, acknowledged or cleared.", ["state"])
RUNNING_EXPORTS = Gauge("spreader_running_exports", "Exports that clients are downloading from this instance.")
EXPORTS = Counter(
    "spreader_exports",
    "Exports that ended: complete, failed, abandoned by their client, or refused because too many run.",
    ["result"],
)
LISTENERS = Gauge("spreader_event_listeners", "Open event streams.")
OPEN_ALERTS = Gauge("spreader_open_alerts", "Open alerts whose cause is present.", ["kind", "severity"])
BREACHES = Counter(
    "spreader_limit_breaches",
    "Open messages beyond the limit of a rolling window.",
    ["window"],
)
RECOUNTED = Counter("spreader_recounted_deliveries", "Open messages checked by the limit audit.")
PACKAGE_PROFILES = Gauge("spreader_package_profiles", "Profiles by the state of their open lane.", ["package", "state"])
PACKAGE_COUNTS = Gauge("spreader_package_day_deliveries", "Counts of the last 24 hours.", ["package", "kind"])
PACKAGE_ALLOWED = Gauge(
    "spreader_package_allowed_deliveries", "Open messages in 24 hours that the effective limits allow.", ["package"]
)
PACKAGE_HEALTH = Gauge("spreader_package_health_points", "Health of a package's profiles, 0 to 100.", ["package", "of"])

ALERT_KINDS = (*CLOSURE_RULES, *CHECKS, "quality", "quota_warning", "health", "health_paused")

from_zero(COUNTED, KINDS)
from_zero(EXPORTS, ("complete", "failed", "abandoned", "refused"))
from_zero(ALERTS, get_args(AlertState))
from_zero(OPEN_ALERTS, ALERT_KINDS, get_args(Severity))
from_zero(BREACHES, WINDOWS)
