"""Restarts: how long to wait before a program that died is started again."""

from dataclasses import dataclass
from datetime import timedelta

DELAY_FIRST = timedelta(milliseconds=200)
DELAY_MAX = timedelta(seconds=10)
STEADY = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Restarts:
    """`failures`: how often it died in a row without having run steadily."""

    failures: int = 0

    def died(self, lived: timedelta) -> tuple["Restarts", timedelta]:
        """At once where it had run well; twice as long each time where it does not get on its feet."""
        failures = 1 if lived >= STEADY else self.failures + 1
        exponent = min(failures - 1, 10)  # beyond that it is DELAY_MAX anyway
        return Restarts(failures), min(DELAY_FIRST * 2**exponent, DELAY_MAX)
