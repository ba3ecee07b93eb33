"""Pending assignments: the assignments made since the pacer last published each profile's queue length."""

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

from router.config_cache import RouterConfigCache
from router.core.routing import ProfileSnapshot
from spreader.contract.events import ProfilePace

TICK = timedelta(microseconds=1)


class PendingAssignments:
    """A process keeps its own assignments, in memory only. This is enough, because only `smart` sharing needs them and
    no limit depends on them."""

    def __init__(self) -> None:
        self._queues: defaultdict[str, deque[tuple[datetime, int]]] = defaultdict(deque)
        """The assignments of each profile, oldest first."""
        self._totals: Counter[str] = Counter()
        self._last = datetime.min.replace(tzinfo=UTC)

    def add(self, profiles: Iterable[str], now: datetime) -> datetime:
        """Add the assignments of one record. Returns the record's `assigned_at`, which is later than that of each
        earlier record."""
        self._last = max(now, self._last + TICK)
        for profile, count in Counter(profiles).items():
            self._queues[profile].append((self._last, count))
            self._totals[profile] += count
        return self._last

    def snapshot(self, config: RouterConfigCache) -> ProfileSnapshot:
        """The current states and paces, with the assignments that these paces do not count yet."""
        return ProfileSnapshot(config.states, config.paces, _NotCounted(self, config.paces))

    def profiles(self) -> list[str]:
        return list(self._queues)

    def not_counted(self, profile: str, pace: ProfilePace | None) -> int:
        """How many assignments of the profile the pacer has not counted.

        This call also drops the assignments that the pacer has counted. Each assignment is dropped once, so the cost of
        a call does not grow with the number of assignments that stay.
        """
        queue = self._queues.get(profile)
        if queue is None:
            return 0
        if pace is not None:
            counted_until = pace.assigned_until or pace.at
            while queue and queue[0][0] <= counted_until:
                self._totals[profile] -= queue.popleft()[1]
            if not queue:
                del self._queues[profile], self._totals[profile]
        return self._totals[profile]


class _NotCounted(Mapping[str, int]):
    """For each profile, the number of assignments that the profile's pace does not count yet. A number is computed only
    when it is read."""

    def __init__(self, pending: PendingAssignments, paces: Mapping[str, ProfilePace]) -> None:
        self._pending, self._paces = pending, paces

    def __getitem__(self, profile: str) -> int:
        count = self._pending.not_counted(profile, self._paces.get(profile))
        if not count:
            raise KeyError(profile)
        return count

    def __iter__(self) -> Iterator[str]:
        return (profile for profile in self._pending.profiles() if profile in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)
