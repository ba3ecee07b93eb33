"""Clock: the system's time, which may run faster than wall time in trials. No other module reads the time."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

SPEED_MAX = 100_000.0

Now = Callable[[], datetime]


def wall_now() -> datetime:
    """The machine's time. Leases, time-outs and back-offs use it, because a trial must not make them shorter."""
    return datetime.now(UTC)  # noqa: TID251 - the only caller


@dataclass(frozen=True, slots=True)
class Clock:
    """The system's time. It is `anchor_system` when the wall time is `anchor_wall`, and it runs `speed` times as fast
    as wall time. The default clock is wall time.

    All processes of a system get the same speed and anchors, so that they agree on the time.
    """

    speed: float = 1.0
    anchor_wall: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    anchor_system: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def __post_init__(self) -> None:
        if not 0 < self.speed <= SPEED_MAX:
            raise ValueError(f"SPREADER_CLOCK_SPEED is {self._speed}; it must be more than 0 and at most {SPEED_MAX:g}")
        if self.anchor_wall.tzinfo is None or self.anchor_system.tzinfo is None:
            raise ValueError("a time in SPREADER_CLOCK has no time zone; write it like 2026-01-01T00:00:00+00:00")

    def __call__(self) -> datetime:
        return self.at(wall_now())

    def at(self, wall: datetime) -> datetime:
        """The system's time at the wall time `wall` (such as a time read from Postgres)."""
        return self.anchor_system + (wall - self.anchor_wall) * self.speed

    def wall(self, duration: timedelta) -> timedelta:
        """The wall time in which `duration` of the system's time passes."""
        return duration / self.speed

    def system(self, duration: timedelta) -> timedelta:
        """The system's time that passes in `duration` of wall time."""
        return duration * self.speed

    def anchored(self, wall: datetime, speed: float) -> "Clock":
        """A clock with another speed. At the wall time `wall` both clocks are equal, so time does not jump."""
        return self if speed == self.speed else Clock(speed, wall, self.at(wall))

    @property
    def text(self) -> str:
        """The value for `SPREADER_CLOCK`: `speed@wall=system`."""
        return f"{self._speed}@{self.anchor_wall.isoformat()}={self.anchor_system.isoformat()}"

    @property
    def _speed(self) -> str:
        return repr(self.speed).removesuffix(".0")

    @classmethod
    def parse(cls, text: str) -> "Clock":
        try:
            speed, anchors = text.split("@", 1)
            wall, system = anchors.split("=", 1)
            return cls(float(speed), datetime.fromisoformat(wall), datetime.fromisoformat(system))
        except ValueError as error:
            raise ValueError(f"SPREADER_CLOCK is {text!r}; it must look like 600@<wall>=<system>: {error}") from error


def clock_from_environment() -> Clock:
    """The clock that `SPREADER_CLOCK` describes. Without this variable, the clock is wall time.

    Raises ValueError when only `SPREADER_CLOCK_SPEED` is set, because the processes would not agree on when the fast
    clock began. `make up` computes `SPREADER_CLOCK` from the speed. Any other deployment must compute it too.
    """
    text = os.environ.get("SPREADER_CLOCK")
    if text:
        return Clock.parse(text)
    speed = float(os.environ.get("SPREADER_CLOCK_SPEED", "1"))
    if speed != 1.0:
        raise ValueError(
            "SPREADER_CLOCK_SPEED is set without SPREADER_CLOCK: processes would not agree on the time. "
            "Start the system with `make up`, or give every process the same SPREADER_CLOCK=speed@wall=system."
        )
    return Clock()
