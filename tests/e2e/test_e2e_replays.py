"""Replays: 100,000 records are read again from the beginning by every service, and the gateway gets nothing.

Once with the offsets of all consumer groups at 0, and once with the stored offsets of the services deleted as well.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from e2e.system import RunningSystem, eventually, recipients
from replays import Groups, empty_positions, recreate_topics, until_quiet

from spreader.clock import wall_now
from spreader.contract.content import TextContent
from spreader.contract.events import ReplyMessageRequested
from spreader.kafka.envelope import encode

pytestmark = [pytest.mark.e2e, pytest.mark.recorded, pytest.mark.timeout(3_600)]

SPEED = 60.0
PROFILES, REPLIES, OPEN_MESSAGES, OPEN_EACH = 20, 14_000, 18, 500
RECORDS_MIN = 100_000
SENT_SECONDS, QUIET_SECONDS = 900, 1_200
FREE = {
    "per_hour": 100_000,
    "per_3_hours": 300_000,
    "per_day": 800_000,
    "unanswered_per_30_days": None,
    "per_recipient_per_day": None,
}


async def test_a_hundred_thousand_records_are_replayed_and_nothing_is_sent(
    kafka_servers: str, database_url: str, tmp_path: Path, keep: Callable[[str, Mapping[str, Any]], None]
) -> None:
    await recreate_topics(kafka_servers)
    servers = {"SPREADER_KAFKA_BOOTSTRAP_SERVERS": kafka_servers, "SPREADER_DATABASE_URL": database_url}
    system = RunningSystem(tmp_path / "home", SPEED, {**servers, "SPREADER_SIMULATOR_READ_SHARE": "1"})
    groups = Groups(kafka_servers)
    await system.start()
    try:
        await _send_all(system, kafka_servers)
        await until_quiet(groups, database_url, QUIET_SECONDS)
        sent = await _sends(system)
        assert (len(sent), set(sent.values())) == (REPLIES + OPEN_MESSAGES * OPEN_EACH, {1})
        records = await groups.records()
        assert records >= RECORDS_MIN
        runs = {"records": records, "sent_before": len(sent)}
        for name, positions in (("offsets_reset", False), ("positions_emptied_too", True)):
            assert await system.stop() == 0
            if positions:
                assert await empty_positions(database_url) > 0
            read_again, began = await groups.rewind(), time.monotonic()
            assert read_again >= RECORDS_MIN
            await system.start()
            await until_quiet(groups, database_url, QUIET_SECONDS)
            again = await _sends(system)
            runs |= {
                f"{name}_records_read": read_again,
                f"{name}_seconds": round(time.monotonic() - began),
                f"{name}_sends": sum(again.values()) - sum(sent.values()),
            }
            assert again == sent
    finally:
        await system.stop()
    keep("replays", runs)


async def _send_all(system: RunningSystem, servers: str) -> None:
    await system.create_package("replayed", PROFILES, profile_limits=FREE, limits={"concurrent_sends": 500})
    for number in range(OPEN_MESSAGES):
        body = {
            "type": "text",
            "text": "Hello",
            "recipients": recipients(OPEN_EACH, start=7_000_000 + number * OPEN_EACH),
            "options": {"waiting_strategy": "immediate"},
        }
        answer = await system.ask("POST", "/packages/replayed/messages/open", body, Prefer="respond-async")
        assert answer.status == 202, answer.body
    now = await system.ask("GET", "/packages/replayed/queue")
    async with AIOKafkaProducer(bootstrap_servers=servers, acks="all") as producer:
        for number, person in enumerate(recipients(REPLIES, start=8_000_000)):
            request = ReplyMessageRequested(
                package_id="replayed",
                message_id=f"msg_reply{number}",
                content=TextContent(type="text", text="Yes"),
                recipient=person,
                requested_at=now.body["at"],
            )
            envelope = encode(request, "test", wall_now())
            headers = [(name, value.encode()) for name, value in envelope.headers.items()]
            await producer.send_and_wait(envelope.topic, envelope.body, key=envelope.key, headers=headers)

    async def all_sent() -> int:
        return len(await _sends(system))

    goal = REPLIES + OPEN_MESSAGES * OPEN_EACH
    await eventually(all_sent, SENT_SECONDS, lambda seen: seen >= goal)


async def _sends(system: RunningSystem) -> Counter[str]:
    """How often each delivery has reached the gateway."""
    return Counter(line["delivery_id"] for line in await system.ledger())
