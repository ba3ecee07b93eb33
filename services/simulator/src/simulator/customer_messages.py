"""Customer messages: the customers' messages that the account's webhook has not accepted yet.

They are stored on disk, so that a restart does not lose them. A message is removed when the webhook returns 2xx or
when the gateway stops retrying.
"""

import asyncio
import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from simulator.accounts import AccountKey, GatewayAccount
from simulator.core.failures import Driver
from simulator.journal import Journal
from simulator.schemas import rfc3339

JOURNAL_BYTES_MAX = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class PendingMessage:
    """A customer's message to an account. `at` is the system time of the message, in RFC 3339 format."""

    message_id: str
    account: str
    phone: str
    text: str
    at: str
    driver: Driver = "simulator"

    @classmethod
    def create(cls, message_id: str, account: GatewayAccount, phone: str, text: str, at: datetime) -> "PendingMessage":
        return cls(message_id, account.account, phone, text, rfc3339(at), account.driver)

    @property
    def key(self) -> AccountKey:
        return AccountKey(self.driver, self.account)

    @property
    def sent_at(self) -> datetime:
        return datetime.fromisoformat(self.at)


class CustomerMessageStore:
    """The stored messages, in memory and in a file."""

    def __init__(self, home: Path) -> None:
        self._journal = Journal(home / "mailbox.jsonl")
        self._messages: dict[str, PendingMessage] = {}
        self._changed = asyncio.Event()

    def open(self) -> None:
        self._messages.clear()
        self._journal.open(lambda _offset, line: self._replay(json.loads(line)))
        self._compact(bytes_max=0)

    def close(self) -> None:
        self._journal.close()

    def __iter__(self) -> Iterator[PendingMessage]:
        return iter(list(self._messages.values()))

    def add(self, message: PendingMessage) -> None:
        """Store the message if it is not stored yet."""
        if message.message_id in self._messages:
            return
        self._journal.append(_line(message))
        self._messages[message.message_id] = message

    def remove(self, message_id: str) -> None:
        self._journal.append(json.dumps({"taken": message_id}).encode())
        self._messages.pop(message_id, None)
        self._changed.set()
        self._compact(JOURNAL_BYTES_MAX)

    async def wait_until_removed(self, message_id: str, seconds: float) -> bool:
        """Wait until the message is removed. Returns False if it is still stored after `seconds`.

        Waiting changes nothing about the retries of the message.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while message_id in self._messages:
                    self._changed.clear()
                    await self._changed.wait()
        return message_id not in self._messages

    def _replay(self, line: dict[str, Any]) -> None:
        if "taken" in line:
            self._messages.pop(line["taken"], None)
        else:
            self._messages[line["message_id"]] = PendingMessage(**line)

    def _compact(self, bytes_max: int) -> None:
        """Rewrite the file without the removed messages, if most of its lines are about removed messages."""
        if self._journal.size > bytes_max and len(self._messages) * 4 <= self._journal.lines:
            self._journal.rewrite(map(_line, self._messages.values()))


def _line(message: PendingMessage) -> bytes:
    return json.dumps(asdict(message), separators=(",", ":")).encode()
