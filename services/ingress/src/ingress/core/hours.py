"""Hours: whether a day leaves any time to send."""

from collections.abc import Sequence
from datetime import time

MINUTES_A_DAY = 24 * 60


def works_a_while(windows: Sequence[tuple[time, time]], rest: tuple[time, float] | None) -> bool:
    """Whether a minute of the day lies in a window of work (begin and end; none: all day) and in no rest."""
    return any(_in_work(minute, windows) and not _in_rest(minute, rest) for minute in range(MINUTES_A_DAY))


def _in_work(minute: int, windows: Sequence[tuple[time, time]]) -> bool:
    return not windows or any(
        (minute - _minute(start)) % MINUTES_A_DAY < ((_minute(end) - _minute(start)) % MINUTES_A_DAY or MINUTES_A_DAY)
        for start, end in windows
    )


def _in_rest(minute: int, rest: tuple[time, float] | None) -> bool:
    return rest is not None and (minute - _minute(rest[0])) % MINUTES_A_DAY < rest[1] * 60


def _minute(moment: time) -> int:
    return moment.hour * 60 + moment.minute
