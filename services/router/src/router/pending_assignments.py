"""Pending assignments: the assignments made since the pacer last published each profile's queue length."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from router.config_cache import RouterConfigCache
from router.core.routing import ProfileSnapshot
from spreader.contract.events import ProfilePace

TICK = timedelta(microseconds=1)


class PendingAssignments:
    """Kept in the memory of each process, because only `smart` sharing needs it. No limit depends on it."""

    def __init__(self) -> None:
        self._assignments: defaultdict[str, list[tuple[datetime, int]]] = defaultdict(list)
        self._last = datetime.min.replace(tzinfo=UTC)

    def add(self, profiles: Iterable[str], now: datetime) -> datetime:
        """Add the assignments of one record; returns its `assigned_at`, which is later than all before it."""
        self._last = max(now, self._last + TICK)
        for profile, count in Counter(profiles).items():
            self._assignments[profile].append((self._last, count))
        return self._last

    def snapshot(self, config: RouterConfigCache) -> ProfileSnapshot:
        """The current states and paces, with the assignments that these paces do not count yet."""
        return ProfileSnapshot(config.states, config.paces, self._not_counted(config.paces))

    def _not_counted(self, paces: Mapping[str, ProfilePace]) -> Mapping[str, int]:
        """Drop the assignments that the pacer has counted; return the number of the others, by profile."""
        for profile, assignments in list(self._assignments.items()):
            pace = paces.get(profile)
            if pace is None:
                continue
            counted_until = pace.assigned_until or pace.at
            self._assignments[profile] = [assignment for assignment in assignments if assignment[0] > counted_until]
            if not self._assignments[profile]:
                del self._assignments[profile]
        return {profile: sum(count for _, count in listed) for profile, listed in self._assignments.items()}
