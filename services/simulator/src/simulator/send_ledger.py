"""Send ledger: an independent record of every send that reached the gateway, written before the answer.

A delivery that is sent twice has two lines. The ledger keeps such duplicates, because tests look for them.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from simulator.core.failures import Driver
from simulator.journal import Journal
from simulator.metrics import LEDGER_LINES
from simulator.schemas import rfc3339
from spreader.clock import wall_now


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One line of the ledger.

    A refused send has a `code` and no `message_id`. A send that was accepted, and whose failure a receipt reports
    later, has both.
    """

    at: datetime
    profile: str
    package: str
    account: str
    recipient: str
    kind: str
    content_hash: str
    delivery_id: str | None
    message_id: str | None
    code: str | None
    driver: Driver = "simulator"
    quote: str | None = None

    @property
    def ok(self) -> bool:
        return self.message_id is not None


class SendLedger:
    """The lines of the ledger, and an index of the sends over the simulator's own protocol.

    The index takes about 200 bytes of memory for each send.
    """

    def __init__(self, home: Path) -> None:
        self._journal = Journal(home / "ledger.jsonl")
        self._sent: dict[tuple[str, str], int] = {}

    def open(self) -> None:
        self._sent.clear()
        self._journal.open(self._index)
        LEDGER_LINES.set(self._journal.lines)

    def close(self) -> None:
        self._journal.close()

    def write(self, entry: LedgerEntry) -> None:
        offset = self._journal.append(_line(entry))
        LEDGER_LINES.inc()
        if entry.ok and entry.driver == "simulator" and entry.delivery_id is not None:
            self._sent.setdefault((entry.account, entry.delivery_id), offset)

    def find(self, account: str, delivery_id: str) -> dict[str, str] | None:
        """The message id and the time of the delivery's first send. None if the delivery was not sent."""
        offset = self._sent.get((account, delivery_id))
        if offset is None:
            return None
        line = json.loads(self._journal.read(offset))
        return {"message_id": line["message_id"], "at": line["at"]}

    async def stream(self, skip_lines: int) -> AsyncIterator[bytes]:
        for chunk in self._journal.chunks(skip_lines):
            yield chunk

    def _index(self, offset: int, raw: bytes) -> None:
        try:
            line = json.loads(raw)
            account, delivery_id, ok = line["account"], line["delivery_id"], line["ok"]
            is_own = line.get("driver", "simulator") == "simulator"
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"ledger.jsonl is damaged at byte {offset}: the line there is not one that the simulator wrote. "
                "Move the file away, or repair that line."
            ) from error
        if ok and is_own:
            self._sent.setdefault((account, delivery_id), offset)


def _line(entry: LedgerEntry) -> bytes:
    return json.dumps(
        {
            "at": rfc3339(entry.at),
            "wall": rfc3339(wall_now()),
            "profile": entry.profile,
            "account": entry.account,
            "recipient": entry.recipient,
            "kind": entry.kind,
            "content_hash": entry.content_hash,
            "delivery_id": entry.delivery_id,
            "ok": entry.ok,
            "message_id": entry.message_id,
            "package": entry.package,
            "code": entry.code,
            "driver": entry.driver,
            "quote": entry.quote,
        },
        separators=(",", ":"),
    ).encode()
