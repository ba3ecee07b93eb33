"""Untrusted JSON: a value from outside. It can be read without exceptions, because a missing or unexpected part is
None."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic_core import to_json

from spreader.text import lenient_json
from spreader.text.clean_text import CleanText, clean, clean_id

TEXT_CHARACTERS_MAX = 65_536
DEPTH_MAX = 100
"""If a body is nested too deeply for the JSON parser, null replaces each list and object below this depth."""
TIMESTAMP_MIN, TIMESTAMP_MAX = datetime(2015, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
"""A time outside this range is an error of the gateway and is ignored."""
_MILLISECONDS_FROM = 100_000_000_000
"""A Unix time of this number or more is in milliseconds, because as seconds it would be after the year 5000."""
_INTEGER = re.compile(r"-?[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class UntrustedJson:
    value: Any

    @classmethod
    def parse(cls, body: bytes) -> "UntrustedJson":
        """Parses a body, even if its texts are broken (see `lenient_json`). Raises ValueError if the body is not a JSON
        object."""
        value = lenient_json.parse(body, DEPTH_MAX)
        if not isinstance(value, dict):
            raise ValueError("it must be a JSON object")
        return cls(value)

    def __getitem__(self, name: str) -> "UntrustedJson":
        return UntrustedJson(self.value.get(name) if isinstance(self.value, dict) else None)

    def __iter__(self) -> Iterator["UntrustedJson"]:
        """Yields the items of a list. A single object counts as a list of one item. Any other value counts as an empty
        list."""
        items = self.value if isinstance(self.value, list) else [self.value] if isinstance(self.value, dict) else []
        return (UntrustedJson(item) for item in items)

    def __contains__(self, name: str) -> bool:
        """Whether the value is an object with this member, and the member is not null."""
        return isinstance(self.value, dict) and self.value.get(name) is not None

    @property
    def text(self) -> CleanText | None:
        """A string, cut to `TEXT_CHARACTERS_MAX`, or an integer in decimal. None if the value is empty or has another
        type."""
        if isinstance(self.value, str):
            return clean(self.value[:TEXT_CHARACTERS_MAX]) or None
        return clean(str(self.value)) if isinstance(self.value, int) and not isinstance(self.value, bool) else None

    @property
    def embedded(self) -> "UntrustedJson":
        """The JSON object that the text contains, or null."""
        try:
            return self.parse((self.text or "").encode())
        except ValueError:
            return UntrustedJson(None)

    @property
    def id(self) -> CleanText | None:
        """Like `text`, but cut to the length of an id."""
        text = self.text
        return None if text is None else clean_id(text)

    @property
    def integer(self) -> int | None:
        """An integer of at most 18 digits. A string of such digits counts as an integer too."""
        text = self.text
        return int(text) if text is not None and _INTEGER.fullmatch(text) else None

    @property
    def boolean(self) -> bool | None:
        return self.value if isinstance(self.value, bool) else None

    @property
    def timestamp(self) -> datetime | None:
        """The time that the value gives. It may be a Unix time in seconds or milliseconds, or an RFC 3339 string. None
        if it is not a time, or if the time is not plausible."""
        if (number := self.integer) is not None:
            seconds = number / 1000 if abs(number) >= _MILLISECONDS_FROM else float(number)
            seconds = min(max(seconds, 0.0), 1e11)  # stays in the range of `datetime`
            timestamp = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
        else:
            try:
                timestamp = datetime.fromisoformat(self.text or "")
            except ValueError:
                return None
        if timestamp.tzinfo is None or not TIMESTAMP_MIN <= timestamp <= TIMESTAMP_MAX:
            return None
        return timestamp

    @property
    def digest(self) -> str:
        """A hash of the whole value. Equal values have equal digests."""
        # `to_json` cannot raise: `parse` limits the depth, and the texts are clean.
        return hashlib.sha256(to_json(self.value)).hexdigest()[:32]


def not_after(now: datetime, reported: datetime | None) -> datetime:
    """The time that the gateway reported, or `now` if it reported none. A later time than `now` becomes `now`, because
    the gateway's clock may be ahead."""
    return now if reported is None else min(reported, now)
