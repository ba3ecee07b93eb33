"""Recent numbers: the phone numbers behind hidden ids that this process has learned in the last minutes."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

KEPT_SECONDS = 600.0
KEPT_MAX = 50_000

ProfileHiddenId = tuple[str, str]
"""A profile and a hidden id. The profile is needed because Meta's ids of one person differ from business to
business."""


@dataclass(slots=True)
class RecentNumbers:
    """Remembers numbers, so that fewer database statements are needed. All numbers are forgotten together every
    `KEPT_SECONDS`, so that the number of an erased person does not stay."""

    clock: Callable[[], float] = time.monotonic
    _numbers: dict[ProfileHiddenId, str] = field(default_factory=dict[ProfileHiddenId, str], init=False, repr=False)
    _until: float = field(default=0.0, init=False)

    def get(self, key: ProfileHiddenId) -> str | None:
        self._forget()
        return self._numbers.get(key)

    def put(self, key: ProfileHiddenId, number: str) -> None:
        self._forget()
        self._numbers[key] = number

    def _forget(self) -> None:
        if self.clock() >= self._until or len(self._numbers) >= KEPT_MAX:
            self._numbers.clear()
            self._until = self.clock() + KEPT_SECONDS
