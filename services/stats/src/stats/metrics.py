"""Metrics: every number that the stats show about themselves."""

from prometheus_client import Counter

# No label names a profile: profiles come and go, and each label value lives for ever. The HTTP API has their figures.
COUNTED = Counter("spreader_counted_facts", "Facts that were counted, each once.", ["kind"])
STATES = Counter("spreader_published_states", "Profile states published because something in them changed.")
