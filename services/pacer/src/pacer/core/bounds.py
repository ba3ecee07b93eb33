"""Bound: the name of each thing that may hold a release; what a queue waits for is one of these."""

from pacer.core.limits import CONTACT_WINDOWS, DAY_LIMIT, HOUR_LIMIT, QUARTER_OF_DAY, THREE_HOURS_LIMIT
from pacer.core.policy import DAY_IN_PAIRS, QUIET_HOURS, RECIPIENT_LIMIT
from pacer.core.turn import PACKAGE_DAY_LIMIT

BOUNDS = (
    "delivery", "gap", HOUR_LIMIT, QUARTER_OF_DAY, THREE_HOURS_LIMIT, DAY_LIMIT, DAY_IN_PAIRS,
    PACKAGE_DAY_LIMIT, *(name for name, _ in CONTACT_WINDOWS), RECIPIENT_LIMIT, QUIET_HOURS, "rest window",
    "concurrent sends", "package paused", "profile paused", "open lane blocked",
)  # fmt: skip
