"""Tree: a piece of JSON from outside, read without trust: what is not there, or of another type, is nothing."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic_core import from_json, to_json

TEXT_CHARACTERS_MAX = 65_536
EPOCHS = (datetime(2015, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
"""A moment outside of these is no moment that a gateway means."""
_MILLISECONDS_FROM = 100_000_000_000
_WHOLE = re.compile(r"-?[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Tree:
    value: Any

    @classmethod
    def read(cls, body: bytes) -> "Tree":
        """Raises ValueError where the body is no JSON object."""
        value = from_json(body, allow_inf_nan=False)
        if not isinstance(value, dict):
            raise ValueError("it must be a JSON object")
        return cls(value)

    def __getitem__(self, name: str) -> "Tree":
        return Tree(self.value.get(name) if isinstance(self.value, dict) else None)

    def __iter__(self) -> Iterator["Tree"]:
        """The items of a list; an object alone is a list of one."""
        items = self.value if isinstance(self.value, list) else [self.value] if isinstance(self.value, dict) else []
        return (Tree(item) for item in items)

    def __contains__(self, name: str) -> bool:
        return isinstance(self.value, dict) and self.value.get(name) is not None

    @property
    def text(self) -> str | None:
        """A text, or a whole number written as one; without U+0000, which nobody can keep; None where it is empty."""
        if isinstance(self.value, str):
            return self.value.replace("\0", "")[:TEXT_CHARACTERS_MAX] or None
        return str(self.value) if isinstance(self.value, int) and not isinstance(self.value, bool) else None

    @property
    def whole(self) -> int | None:
        """A whole number, or a text that is one."""
        text = self.text
        return int(text) if text is not None and _WHOLE.fullmatch(text) else None

    @property
    def flag(self) -> bool | None:
        return self.value if isinstance(self.value, bool) else None

    @property
    def moment(self) -> datetime | None:
        """Unix time in seconds or milliseconds, or RFC 3339."""
        if (number := self.whole) is not None:
            seconds = number / 1000 if abs(number) >= _MILLISECONDS_FROM else float(number)
            moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=min(max(seconds, 0.0), 1e11))
        else:
            try:
                moment = datetime.fromisoformat(self.text or "")
            except ValueError:
                return None
        if moment.tzinfo is None or not EPOCHS[0] <= moment <= EPOCHS[1]:
            return None
        return moment

    @property
    def digest(self) -> str:
        """A short name for all of it: the same piece has the same name."""
        return hashlib.sha256(to_json(self.value)).hexdigest()[:32]


def not_after(now: datetime, moment: datetime | None) -> datetime:
    """When something happened: as the gateway says, and never after we heard of it; its clock is not ours."""
    return now if moment is None else min(moment, now)
