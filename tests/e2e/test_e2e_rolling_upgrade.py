"""Rolling upgrade under load: older and newer builds work side by side; nothing is lost, sent twice or set aside.

A newer build writes unknown fields into every event and every object in it (`builds/sitecustomize.py`). The services
are replaced one by one in the order of the readers, each by a restart. Then they become an even newer build in the
order of the writers; a switch in each process replaces this second restart.
"""

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from aiohttp import ClientError
from aiokafka import AIOKafkaConsumer, TopicPartition
from e2e.callers import Callers
from e2e.chaos import Fleet
from e2e.system import RunningSystem, eventually

from spreader.contract.events import DEAD_LETTER_TOPIC, PARTITIONS
from spreader.kafka.client import partitions_of
from spreader.kafka.subscription import Record
from spreader.settings import Settings

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

WRITERS_FIRST = ("ingress", "router", "pacer", "sender", "stats")
READERS_FIRST = tuple(reversed(WRITERS_FIRST))
WIDE = {"per_hour": 3_000, "per_3_hours": 9_000, "per_day": 20_000, "per_recipient_per_day": None}
READY_SECONDS, SENT_SECONDS = 60.0, 60.0
CALLER_PAUSE_SECONDS = 0.3
BETWEEN = 20
"""Deliveries that are sent before the next service changes."""
SENT = ("sent", "delivered", "read")


async def test_services_are_replaced_one_by_one_in_both_orders(fast: RunningSystem) -> None:
    await fast.create_package("rolling", 4, profile_limits=WIDE, gap={"min_seconds": 1, "max_seconds": 1})
    began = await _ends(fast)
    callers, upgraded = Callers(Fleet(fast), "rolling", Random(3)), asyncio.Event()
    async with asyncio.TaskGroup() as running:
        running.create_task(_load(fast, callers, upgraded))
        for service in READERS_FIRST:
            await _restart_as(fast, service, 1)
        renamed = await fast.ask("PATCH", "/packages/rolling", {"name": "Rolling from generation 1"})
        assert renamed.status == 200, renamed.body  # ingress, replaced last, has written an event as generation 1
        for service in WRITERS_FIRST:
            fast.choose_build(service, 2)
            await _more_arrive(fast)
        upgraded.set()
    accepted = callers.accepted
    for message, people in accepted.messages.items():
        await _all_sent(fast, message, len(people))
    lines = Counter(line["recipient"] for line in await fast.ledger() if line["package"] == "rolling" and line["ok"])
    assert lines == Counter(accepted.people)
    records = await _records_since(fast, began)
    assert [record for record in records if record.topic == DEAD_LETTER_TOPIC] == []
    assert "cannot decode a record of a table" not in fast.log.read_text(errors="replace")
    written = Counter((_header(record, "ce_source"), _generation(record)) for record in records)
    for service in WRITERS_FIRST:
        assert {number for number in (1, 2) if written[f"/spreader/{service}", number]} == {1, 2}, written


async def _load(system: RunningSystem, callers: Callers, upgraded: asyncio.Event) -> None:
    """Requests over HTTP and Kafka, changes of the package, and opt-outs, until all is upgraded."""
    number = 0
    while not upgraded.is_set():
        number += 1
        await callers.run(1.0, CALLER_PAUSE_SECONDS)
        await _tried(system, "PATCH", "/packages/rolling", {"name": f"Rolling {number}"})
        await _tried(system, "POST", "/packages/rolling/suppressions", {"recipients": [f"2018{number:08}"]})


async def _tried(system: RunningSystem, method: str, path: str, body: Mapping[str, Any]) -> None:
    try:
        answer = await system.ask(method, path, body)
    except (OSError, ClientError):
        return  # ingress is being replaced
    assert answer.status < 300 or answer.status == 503, answer.body


async def _restart_as(system: RunningSystem, service: str, generation: int) -> None:
    """End a service with SIGTERM. `make up` starts it again, and Python finds which build it is."""
    await asyncio.to_thread(system.choose_build, service, generation)
    old = system.pid(service)
    assert old is not None
    os.kill(old, signal.SIGTERM)

    async def is_replaced() -> bool:
        if system.pid(service) in (None, old):
            return False
        try:
            return (await system.ready(service)).status == 200
        except (OSError, ClientError):
            return False

    await eventually(is_replaced, READY_SECONDS)


async def _more_arrive(system: RunningSystem) -> None:
    """Wait until the system has sent more deliveries in its present state."""
    seen = len(await system.ledger())
    await eventually(system.ledger, SENT_SECONDS, lambda lines: len(lines) >= seen + BETWEEN)


async def _all_sent(system: RunningSystem, message: str, deliveries: int) -> None:
    async def counts() -> dict[str, int]:
        return (await system.ask("GET", f"/messages/{message}")).body.get("counts", {})

    await eventually(counts, SENT_SECONDS, lambda seen: sum(seen.get(each, 0) for each in SENT) == deliveries)


async def _ends(system: RunningSystem) -> dict[TopicPartition, int]:
    """The end of each partition of all topics."""
    servers = f"127.0.0.1:{system.ports['kafka']}"
    partitions = await partitions_of(Settings(kafka_bootstrap_servers=servers), *PARTITIONS)
    async with AIOKafkaConsumer(bootstrap_servers=servers) as consumer:
        return dict(await consumer.end_offsets(partitions))


async def _records_since(system: RunningSystem, began: Mapping[TopicPartition, int]) -> list[Record]:
    ends, records = await _ends(system), list[Record]()
    async with AIOKafkaConsumer(bootstrap_servers=f"127.0.0.1:{system.ports['kafka']}") as consumer:
        consumer.assign(list(ends))
        for partition, offset in began.items():
            consumer.seek(partition, offset)
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for part in (await consumer.getmany(timeout_ms=500)).values():
                records += part
    return records


def _header(record: Record, name: str) -> str:
    return next((value.decode() for each, value in record.headers if each == name), "")


def _generation(record: Record) -> int:
    body = json.loads(record.value or b"{}")
    return 2 if "later_2" in body else 1 if "later_1" in body else 0
