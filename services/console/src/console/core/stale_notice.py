"""Stale notice: the sentence that a page shows when a service's data is old or missing."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from console.core import formats
from console.core.last_answer import LastAnswer


@dataclass(frozen=True, slots=True)
class PageData:
    """One kind of data on a page.

    `subject` is the begin of the notice, such as `Statistics` in `Statistics unavailable`. `name` is what the notice
    calls the data.
    """

    subject: str
    name: str
    answer: LastAnswer[Any]
    interval: timedelta = timedelta(seconds=1)

    def is_stale(self, now: datetime) -> bool:
        return not self.answer.is_fresh(now, self.interval)


def notices(data: Iterable[PageData], now: datetime) -> tuple[str, ...]:
    """One sentence for each kind of data that is stale.

    Data gets no notice while its first request is still running.
    """
    return tuple(
        _sentence(item, now)
        for item in data
        if item.is_stale(now) and (item.answer.received_at is not None or item.answer.error is not None)
    )


def _sentence(item: PageData, now: datetime) -> str:
    error = (item.answer.error or "no answer").rstrip(".")
    if item.answer.is_refused:
        return f"{error[:1].upper()}{error[1:]}."
    return f"{item.subject} unavailable. {_age(item, now)}"


def _age(item: PageData, now: datetime) -> str:
    if item.answer.received_at is None:
        return f"The {item.name} cannot be shown yet; sending continues."
    return (
        f"The {item.name} are {formats.span((now - item.answer.received_at).total_seconds())} old; sending continues."
    )
