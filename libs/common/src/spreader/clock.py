"""Clock: the one place that reads the time, and the speed at which the system's time runs."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

SPEED_MAX = 100_000.0

Now = Callable[[], datetime]


def wall_now() -> datetime:
    """The machine's time: for leases, time-outs and back-offs, which wait for real machines at any speed."""
    return datetime.now(UTC)  # noqa: TID251 - the only caller


@dataclass(frozen=True, slots=True)
class Clock:
    """The system's time: equal to the wall's, or running `speed` times as fast since the anchor.

    All processes of a system get the same three values, so they agree to the accuracy of their wall clocks.
    """

    speed: float = 1.0
    anchor_wall: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    anchor_system: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def __post_init__(self) -> None:
        if not 0 < self.speed <= SPEED_MAX:
            raise ValueError(f"SPREADER_CLOCK_SPEED is {self.speed:g}; it must be over 0 and at most {SPEED_MAX:g}")
        if self.anchor_wall.tzinfo is None or self.anchor_system.tzinfo is None:
            raise ValueError("a moment of SPREADER_CLOCK has no time zone; write 2026-01-01T00:00:00+00:00")

    def __call__(self) -> datetime:
        return self.at(wall_now())

    def at(self, wall: datetime) -> datetime:
        """The system's time when the wall shows `wall` (a moment that Postgres gave, say)."""
        return self.anchor_system + (wall - self.anchor_wall) * self.speed

    def wall(self, duration: timedelta) -> timedelta:
        """How long the machine must wait for `duration` of the system's time."""
        return duration / self.speed

    def system(self, duration: timedelta) -> timedelta:
        """How much of the system's time passes while the machine waits for `duration`."""
        return duration * self.speed

    def anchored(self, wall: datetime, speed: float) -> "Clock":
        """The same time going on at another speed from `wall` on: it never runs backwards."""
        return self if speed == self.speed else Clock(speed, wall, self.at(wall))

    @property
    def text(self) -> str:
        """The form that `SPREADER_CLOCK` takes: `speed@wall=system`."""
        return f"{self.speed:g}@{self.anchor_wall.isoformat()}={self.anchor_system.isoformat()}"

    @classmethod
    def parse(cls, text: str) -> "Clock":
        try:
            speed, anchors = text.split("@", 1)
            wall, system = anchors.split("=", 1)
            return cls(float(speed), datetime.fromisoformat(wall), datetime.fromisoformat(system))
        except ValueError as error:
            raise ValueError(f"SPREADER_CLOCK is {text!r}; it must look like 600@<wall>=<system>: {error}") from error


def clock_from_environment() -> Clock:
    """The clock that this process was given: `SPREADER_CLOCK` (all processes alike), else the wall's.

    `SPREADER_CLOCK_SPEED` alone cannot be obeyed by one process: the others would not know since when. `make up`
    turns it into `SPREADER_CLOCK`, and so does a deployment that wants a fast clock.
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
