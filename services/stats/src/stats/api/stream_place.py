"""Stream place: the point up to which a listener of the event stream has everything. It is sent as the id of an
event."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

_POSITION_MAX = 2**62
_YEAR_MIN = 2000
"""No event is from an earlier year. With an earlier time, a computation could leave the range of `datetime`."""


@dataclass(frozen=True, slots=True)
class StreamPlace:
    at: datetime
    """The listener has all profile states that were read before this time."""
    position: int
    """The listener has all alerts that were published up to this position."""

    @property
    def text(self) -> str:
        return f"{self.at.isoformat()}/{self.position}"

    @classmethod
    def parse(cls, event_id: str | None) -> Self | None:
        """The place that an event id names. None: the id is missing, or it has another form, as in an older version.
        Then the listener gets everything."""
        time, _, position = (event_id or "").partition("/")
        if not (position.isascii() and position.isdigit() and len(position) <= len(str(_POSITION_MAX))):
            return None
        try:
            at = datetime.fromisoformat(time)
        except ValueError:
            return None
        if at.year < _YEAR_MIN:
            return None
        return cls(at if at.tzinfo is not None else at.replace(tzinfo=UTC), min(int(position), _POSITION_MAX))
