"""Assigned: what profiles were given since the pacer last told how much waits for them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from router.core.routing import Fleet
from router.directory import Directory
from spreader.events import ProfilePace


class Assigned:
    """Kept in memory by each process, for `smart` sharing alone: it evens out, it guards no limit."""

    def __init__(self) -> None:
        self._more: Counter[str] = Counter()
        self._told_at: dict[str, datetime] = {}

    def note(self, profiles: Iterable[str]) -> None:
        self._more.update(profiles)

    def fleet(self, directory: Directory) -> Fleet:
        """How the profiles fare at this moment."""
        return Fleet(directory.states, directory.paces, self._since(directory.paces))

    def _since(self, paces: Mapping[str, ProfilePace]) -> Mapping[str, int]:
        for profile in list(self._more):
            pace = paces.get(profile)
            if pace is not None and self._told_at.get(profile) != pace.at:
                self._told_at[profile] = pace.at
                del self._more[profile]
        return self._more
