"""Measured: everything that a run of the pacer's bench found out, as it is kept."""

from dataclasses import dataclass, field
from typing import Any

from bench.figures import Pair
from bench.pacer.peers.peer import Seen


@dataclass(frozen=True, slots=True)
class Size:
    """What was measured with so many deliveries held, over all profiles."""

    held: int
    late_ms: dict[str, float]
    """Until the sender is told: median, p99, max, count."""
    committed_ms: dict[str, float]
    per_second: float
    """Releases that fell due while lateness was measured."""
    overdue: int
    """Profiles that waited for their look at the end."""
    own_cpu_share: float
    own_mebibytes: float
    own_mebibytes_peak: float
    postgres_mebibytes: float


@dataclass(slots=True)
class Measured:
    profiles: int
    small: int = 0
    large: int = 0
    intake: list[Pair] = field(default_factory=list[Pair])
    """Rows a second in each tenth of the large number: ours, and COPY."""
    releases: list[Pair] = field(default_factory=list[Pair])
    """Releases a second in each round: at the large number, and at the small one (`bare`)."""
    release_cpu_ms: list[Pair] = field(default_factory=list[Pair])
    """CPU milliseconds of one release in each round, the pacer's and Postgres' together, in the same order."""
    statements: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """Of the last round, by the number held: the mean milliseconds of each statement."""
    sizes: list[Size] = field(default_factory=list[Size])
    restart_seconds: list[float] = field(default_factory=list[float])
    peers: list[Seen] = field(default_factory=list[Seen])
    missing: list[str] = field(default_factory=list[str])
    """What of the peers could not be measured, and why."""
    load: dict[str, float] = field(default_factory=dict[str, float])
    """The load average of the last minute when each part began."""
