"""Measurements: the results of a run of the pacer's bench, as they are stored."""

from dataclasses import dataclass, field
from typing import Any

from bench.figures import Pair
from bench.pacer.peers.peer import PeerResult


@dataclass(frozen=True, slots=True)
class SizeResult:
    """The results with `held` deliveries, over all profiles."""

    held: int
    late_ms: dict[str, float]
    """Until the release is published: median, p99, max, count."""
    committed_ms: dict[str, float]
    per_second: float
    """Releases a second while lateness was measured."""
    overdue: int
    """Profiles that still waited for a pass at the end."""
    own_cpu_share: float
    own_mebibytes: float
    own_mebibytes_peak: float
    postgres_mebibytes: float


@dataclass(slots=True)
class Measurements:
    profiles: int
    small: int = 0
    large: int = 0
    intake: list[Pair] = field(default_factory=list[Pair])
    """Rows a second in each tenth of the large number: the pacer's, and COPY."""
    releases: list[Pair] = field(default_factory=list[Pair])
    """Releases a second in each round: at the large number, and at the small one (`bare`)."""
    release_cpu_ms: list[Pair] = field(default_factory=list[Pair])
    """CPU milliseconds of one release in each round, the pacer's and Postgres' together, in the same order."""
    statements: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """The mean milliseconds of each statement in the last round, by `small` and `large`."""
    sizes: list[SizeResult] = field(default_factory=list[SizeResult])
    restart_seconds: list[float] = field(default_factory=list[float])
    peers: list[PeerResult] = field(default_factory=list[PeerResult])
    missing: list[str] = field(default_factory=list[str])
    """The peers that could not be measured, and why."""
    load: dict[str, float] = field(default_factory=dict[str, float])
    """The load average of the last minute when each part began."""
