"""Metrics: every number that the stats show about themselves."""

from typing import get_args

from prometheus_client import Counter, Gauge

from spreader.telemetry.metrics import from_zero
from stats.core.alerts import AlertState
from stats.core.breaches import WINDOWS
from stats.core.closures import CLOSURE_RULES
from stats.core.condition import Severity
from stats.core.risks import CHECKS
from stats.core.sums import KINDS

# No label names a profile: profiles come and go, and each label value lives for ever. The HTTP API has their figures.
# Packages have one as far as `stats.health.package_gauges` lets them: the largest.
COUNTED = Counter("spreader_counted_facts", "Facts that were counted, each once.", ["kind"])
REPORTS = Counter("spreader_profile_reports", "Reports of gateways about profiles that were taken in.")
STATES = Counter("spreader_published_states", "Profile states published because something in them changed.")
JUDGED = Counter("spreader_judged_profiles", "Judgements of a profile's health.")
ALERTS = Counter(
    "spreader_alerts_changed", "Alerts that were raised, acknowledged or cleared, as published.", ["state"]
)
LISTENERS = Gauge("spreader_event_listeners", "Streams of server-sent events that are open.")
OPEN_ALERTS = Gauge("spreader_open_alerts", "Alerts about profiles that are not cleared.", ["kind", "severity"])
BREACHES = Counter(
    "spreader_limit_breaches", "Open messages that were one too many in a rolling window, counted anew.", ["window"]
)
RECOUNTED = Counter("spreader_recounted_deliveries", "Open messages that were held against the limits again.")
PACKAGE_PROFILES = Gauge("spreader_package_profiles", "Profiles, by how their open lane stands.", ["package", "state"])
PACKAGE_COUNTS = Gauge("spreader_package_day_deliveries", "What happened in the last 24 hours.", ["package", "kind"])
PACKAGE_ALLOWED = Gauge(
    "spreader_package_allowed_deliveries", "Open messages in 24 hours that limits and factors allow.", ["package"]
)
PACKAGE_HEALTH = Gauge("spreader_package_health_points", "Health of its profiles, 0 to 100.", ["package", "of"])

ALERT_KINDS = (*CLOSURE_RULES, *CHECKS, "quality", "quota_warning", "health", "health_paused")

from_zero(COUNTED, KINDS)
from_zero(ALERTS, get_args(AlertState))
from_zero(OPEN_ALERTS, ALERT_KINDS, get_args(Severity))
from_zero(BREACHES, WINDOWS)
