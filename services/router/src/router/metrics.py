"""Metrics: all metrics that the router exports."""

from typing import get_args

from prometheus_client import Counter

from spreader.contract.configuration import Distribution
from spreader.contract.events import Lane
from spreader.telemetry.metrics import from_zero

ROUTED = Counter("spreader_routed_deliveries", "Deliveries assigned to a profile.", ["lane", "strategy"])
REFUSED = Counter("spreader_refused_deliveries", "Deliveries that no profile could take.", ["lane"])


from_zero(ROUTED, ("reply",), ("sticky", "another profile"))
from_zero(ROUTED, ("open",), (*get_args(Distribution), "another profile"))
from_zero(REFUSED, get_args(Lane))
