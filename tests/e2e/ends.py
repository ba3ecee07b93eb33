"""Ends: how each accepted delivery ended, by the API, by the published outcomes and by the gateway's send ledger."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientError
from aiokafka import AIOKafkaConsumer
from e2e.callers import Accepted
from e2e.system import RunningSystem

ARRIVED = ("sent", "delivered", "read")
FINAL = (*ARRIVED, "failed", "expired", "cancelled", "suppressed", "rejected", "unknown")
NOT_SENT = ("expired", "cancelled", "suppressed", "rejected")
PAGE = 200
OUTCOMES = "spreader.delivery-outcome"
END_OF: Mapping[str, str] = {"acknowledged": "sent", "delivered": "sent", "read": "sent"}
"""Later reports of a delivery that was sent: they are no further end."""


@dataclass
class Settling:
    """Watches the accepted messages until every delivery is final. A message whose counts are final is asked once."""

    system: RunningSystem
    accepted: Accepted

    def __post_init__(self) -> None:
        self._open = {message: len(people) for message, people in self.accepted.messages.items()}

    async def waiting(self) -> dict[str, Any]:
        """The messages that still have deliveries without a final status, with their counts."""
        seen: dict[str, Any] = {}
        for message, recipients in tuple(self._open.items()):
            try:
                counts = (await self.system.ask("GET", f"/messages/{message}")).body.get("counts", {})
            except (OSError, ClientError, TimeoutError) as error:
                return {"no answer": repr(error)}
            if sum(counts.get(status, 0) for status in FINAL) == recipients:
                del self._open[message]
            else:
                seen[message] = {status: count for status, count in counts.items() if count}
        return seen


async def statuses(system: RunningSystem, accepted: Accepted) -> dict[str, str]:
    """The status of every recipient. Each must be exactly one delivery of its message, and there may be no others."""
    found: dict[str, str] = {}
    for message, people in accepted.messages.items():
        answer = await system.ask("GET", f"/messages/{message}/deliveries?limit={PAGE}")
        assert answer.status == 200, answer.body
        rows: list[dict[str, Any]] = answer.body["data"]
        assert sorted(row["recipient"] for row in rows) == sorted(people), f"{message} has other recipients"
        found |= {row["recipient"]: row["status"] for row in rows}
    return found


async def ends(system: RunningSystem, package: str) -> dict[str, set[str]]:
    """The ends of every recipient of the package, as published for other systems."""
    found: dict[str, set[str]] = {}
    servers = f"127.0.0.1:{system.ports['kafka']}"
    async with AIOKafkaConsumer(OUTCOMES, bootstrap_servers=servers, auto_offset_reset="earliest") as consumer:
        partitions = consumer.assignment()
        assert partitions, f"{OUTCOMES} has no partitions"
        last = await consumer.end_offsets(list(partitions))
        while any([await consumer.position(partition) < end for partition, end in last.items()]):
            async with asyncio.timeout(30):
                batches = await consumer.getmany(timeout_ms=1_000)
            for records in batches.values():
                for outcome in (json.loads(record.value or b"") for record in records):
                    status = END_OF.get(outcome["status"], outcome["status"])
                    if outcome["package_id"] == package and status in FINAL:
                        found.setdefault(outcome["recipient"], set()).add(status)
    return found


def contradictions(
    statuses: Mapping[str, str], ends: Mapping[str, set[str]], ledger: Sequence[Mapping[str, Any]]
) -> list[str]:
    """What the API or the published outcomes say of a delivery, and the gateway's ledger does not.

    A delivery may be `failed` only if the gateway refused it, and `sent` after `unknown` or `failed` after `sent` only
    because the gateway reported it later.
    """
    sent = {line["recipient"] for line in ledger if line["ok"]}
    refused = {line["recipient"] for line in ledger if not line["ok"] or line["code"]}
    reported = {line["recipient"] for line in ledger if line["ok"] and line["code"]}
    found: list[str] = []
    for person, status in statuses.items():
        published = ends.get(person, set())
        allowed = {END_OF.get(status, status), "unknown"} | ({"sent"} if person in reported else set())
        wrong = (
            (status not in FINAL)
            or (status in ARRIVED and person not in sent)
            or (status == "failed" and person not in refused)
            or (status == "failed" and person in sent - reported)
            or (status in NOT_SENT and person in sent)
            or not published
            or not published <= allowed
        )
        if wrong:
            lines = [line for line in ledger if line["recipient"] == person]
            found.append(f"{person} is {status}, published as {sorted(published)}, in the ledger {lines}")
    return found


def totals(statuses: Mapping[str, str]) -> dict[str, int]:
    return dict(sorted(Counter(statuses.values()).items()))
