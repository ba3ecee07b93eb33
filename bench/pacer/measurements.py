"""Measurements: the results of a run of the pacer's bench, as they are stored."""

from dataclasses import dataclass, field
from typing import Any

from bench.figures import Pair
from bench.pacer.peers.peer import PeerResult


@dataclass(frozen=True, slots=True)
class SizeResult:
    """The results while all profiles together hold `held` deliveries."""

    held: int
    late_ms: dict[str, float]
    """Milliseconds from a release's due time until it was published: median, p99 and maximum. Also the number of
    releases."""
    committed_ms: dict[str, float]
    per_second: float
    """Releases a second while lateness was measured."""
    overdue: int
    """The number of profiles that were due at the end and still waited for a pass."""
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
    """`large` deliveries are stored in ten equal parts. For each part: the rows a second of the pacer (`ours`) and of
    COPY (`bare`)."""
    releases: list[Pair] = field(default_factory=list[Pair])
    """The pacer's releases a second in each round: with `large` held deliveries (`ours`) and with `small` ones
    (`bare`)."""
    release_cpu_ms: list[Pair] = field(default_factory=list[Pair])
    """The CPU milliseconds of one release in each round: with `large` held deliveries (`ours`) and with `small` ones
    (`bare`). The times of the pacer and of Postgres are added up."""
    statements: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """The mean milliseconds of each statement in the last round. The outer keys are `small` and `large`."""
    sizes: list[SizeResult] = field(default_factory=list[SizeResult])
    restart_seconds: list[float] = field(default_factory=list[float])
    peers: list[PeerResult] = field(default_factory=list[PeerResult])
    missing: list[str] = field(default_factory=list[str])
    """The peers that could not be measured, and why."""
    load: dict[str, float] = field(default_factory=dict[str, float])
    """The load average of the last minute when each part began."""
