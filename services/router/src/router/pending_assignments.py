"""Assigned: what profiles were given that the pacer has not counted yet when it told how much waits for them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from router.config_cache import RouterConfigCache
from router.core.routing import ProfileSnapshot
from spreader.contract.events import ProfilePace

A_MOMENT = timedelta(microseconds=1)


class PendingAssignments:
    """Kept in memory by each process, for `smart` sharing alone: it evens out, it guards no limit."""

    def __init__(self) -> None:
        self._notes: defaultdict[str, list[tuple[datetime, int]]] = defaultdict(list)
        self._last = datetime.min.replace(tzinfo=UTC)

    def note(self, profiles: Iterable[str], now: datetime) -> datetime:
        """Answers the `assigned_at` that the record must carry: later than those before, whatever the clock does."""
        self._last = max(now, self._last + A_MOMENT)
        for profile, count in Counter(profiles).items():
            self._notes[profile].append((self._last, count))
        return self._last

    def snapshot(self, directory: RouterConfigCache) -> ProfileSnapshot:
        """How the profiles fare at this moment."""
        return ProfileSnapshot(directory.states, directory.paces, self._not_counted(directory.paces))

    def _not_counted(self, paces: Mapping[str, ProfilePace]) -> Mapping[str, int]:
        for profile, notes in list(self._notes.items()):
            pace = paces.get(profile)
            if pace is None:
                continue
            counted_until = pace.assigned_until or pace.at
            self._notes[profile] = [note for note in notes if note[0] > counted_until]
            if not self._notes[profile]:
                del self._notes[profile]
        return {profile: sum(count for _, count in notes) for profile, notes in self._notes.items()}
