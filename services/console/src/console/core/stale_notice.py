"""Away: what a page says of the services whose answers it lacks, so that nothing old passes for new."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from console.core import formats
from console.core.last_answer import Reading


@dataclass(frozen=True, slots=True)
class Part:
    """`who` answers, `what` it tells, as words within a sentence: `The stats give`, `figures`."""

    who: str
    what: str
    reading: Reading[Any]
    every: timedelta = timedelta(seconds=1)

    def is_missing(self, now: datetime) -> bool:
        return not self.reading.is_fresh(now, self.every)


def notices(parts: Iterable[Part], now: datetime) -> tuple[str, ...]:
    """One sentence for each part that is not fresh. What was just asked for the first time is not missing yet."""
    return tuple(
        _sentence(part, now)
        for part in parts
        if part.is_missing(now) and (part.reading.seen_at is not None or part.reading.trouble is not None)
    )


def _sentence(part: Part, now: datetime) -> str:
    why = part.reading.trouble or "nothing heard"
    if part.reading.is_refused:
        return f"{part.who} a refusal: {why.rstrip('.')}."
    return f"{part.who} no answer ({why.rstrip('.')}): {_age(part, now)}"


def _age(part: Part, now: datetime) -> str:
    if part.reading.seen_at is None:
        return f"no {part.what} yet."
    return f"the {part.what} below are {formats.span((now - part.reading.seen_at).total_seconds())} old."
