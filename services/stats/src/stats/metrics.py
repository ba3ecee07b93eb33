"""Metrics: every number that the stats show about themselves."""

from prometheus_client import Counter, Gauge

# No label names a profile: profiles come and go, and each label value lives for ever. The HTTP API has their figures.
COUNTED = Counter("spreader_counted_facts", "Facts that were counted, each once.", ["kind"])
REPORTS = Counter("spreader_profile_reports", "Reports of gateways about profiles that were taken in.")
STATES = Counter("spreader_published_states", "Profile states published because something in them changed.")
JUDGED = Counter("spreader_judged_profiles", "Judgements of a profile's health.")
ALERTS = Counter(
    "spreader_alerts_changed", "Alerts that were raised, acknowledged or cleared, as published.", ["state"]
)
LISTENERS = Gauge("spreader_event_listeners", "Streams of server-sent events that are open.")
