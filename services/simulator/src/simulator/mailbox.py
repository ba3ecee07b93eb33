"""Mailbox: messages of customers that the gateway has accepted and no webhook has taken yet, on disk.

Accepted means kept: a message leaves the mailbox only when its webhook has answered 2xx, over any number of restarts.
"""

import asyncio
import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from simulator.accounts import Account, Key
from simulator.core.failures import Driver
from simulator.journal import Journal
from simulator.wire import rfc3339

JOURNAL_BYTES_MAX = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Letter:
    """What a customer wrote, to which account. `at` is on the system's clock, as text."""

    message_id: str
    account: str
    phone: str
    text: str
    at: str
    driver: Driver = "simulator"

    @classmethod
    def written(cls, message_id: str, account: Account, phone: str, text: str, at: datetime) -> "Letter":
        return cls(message_id, account.account, phone, text, rfc3339(at), account.driver)

    @property
    def key(self) -> Key:
        return Key(self.driver, self.account)

    @property
    def moment(self) -> datetime:
        return datetime.fromisoformat(self.at)


class Mailbox:
    def __init__(self, home: Path) -> None:
        self._journal = Journal(home / "mailbox.jsonl")
        self._letters: dict[str, Letter] = {}
        self._changed = asyncio.Event()

    def open(self) -> None:
        self._letters.clear()
        self._journal.open(lambda _place, line: self._replay(json.loads(line)))
        self._tidy(bytes_max=0)

    def close(self) -> None:
        self._journal.close()

    def __iter__(self) -> Iterator[Letter]:
        return iter(list(self._letters.values()))

    def put(self, letter: Letter) -> None:
        """Keep it; a letter that is here already stays as it is."""
        if letter.message_id in self._letters:
            return
        self._journal.append(_line(letter))
        self._letters[letter.message_id] = letter

    def taken(self, message_id: str) -> None:
        self._journal.append(json.dumps({"taken": message_id}).encode())
        self._letters.pop(message_id, None)
        self._changed.set()
        self._tidy(JOURNAL_BYTES_MAX)

    async def wait_until_taken(self, message_id: str, seconds: float) -> bool:
        """Whether its webhook took it within `seconds`; it is kept and tried on in either case."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while message_id in self._letters:
                    self._changed.clear()
                    await self._changed.wait()
        return message_id not in self._letters

    def _replay(self, line: dict[str, Any]) -> None:
        if "taken" in line:
            self._letters.pop(line["taken"], None)
        else:
            self._letters[line["message_id"]] = Letter(**line)

    def _tidy(self, bytes_max: int) -> None:
        """Drop what has been taken from the file, when the file is large for what it holds."""
        if self._journal.size > bytes_max and len(self._letters) * 4 <= self._journal.lines:
            self._journal.rewrite(map(_line, self._letters.values()))


def _line(letter: Letter) -> bytes:
    return json.dumps(asdict(letter), separators=(",", ":")).encode()
