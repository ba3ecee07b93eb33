"""Bad input: the API names the wrong field; an unreadable Kafka record becomes a dead letter, the next is handled."""

import asyncio
import json
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from e2e.system import RunningSystem, eventually, recipients

pytestmark = pytest.mark.e2e

GOOD: dict[str, Any] = {"type": "text", "text": "Hello", "recipients": ["201000000001"]}


@pytest.fixture
async def package(live: RunningSystem) -> str:
    if (await live.ask("GET", "/packages/picky")).status == 404:
        await live.create_package("picky", 1)
    return "picky"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"recipients": []}, "/recipients"),
        ({"recipients": recipients(100_001)}, "/recipients"),
        ({"recipients": ["201000000001", "20-100"]}, "/recipients/1"),
        ({"recipients": ["2" * 16]}, "/recipients/0"),
        ({"recipients": ["12"]}, "/recipients/0"),
        ({"recipients": [201000000001]}, "/recipients/0"),
        ({"type": "carrier_pigeon"}, "/type"),
        ({"text": ""}, "/text"),
        ({"text": "   "}, "/text"),
        ({"text": "x" * 4_097}, "/text"),
        ({"type": "image", "text": None, "media": {}}, "/media"),
        ({"options": {"schedule_at": "2030-02-10T10:00:00"}}, "/options/schedule_at"),
        ({"options": {"waiting_strategy": "someday"}}, "/options/waiting_strategy"),
        ({"distribution": "by_moon"}, "/distribution"),
        ({"recipient_list": ["201000000001"]}, "/recipient_list"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_bad_field_is_named(live: RunningSystem, package: str, change: dict[str, Any], pointer: str) -> None:
    body = {name: value for name, value in {**GOOD, **change}.items() if value is not None}
    answer = await live.ask("POST", f"/packages/{package}/messages/open", body)
    assert answer.status == 422, answer.body
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert pointer in [error["pointer"] for error in answer.body["errors"]]
    assert all(error["detail"] for error in answer.body["errors"])


@pytest.mark.parametrize(
    ("path", "raw", "status", "words"),
    [
        ("/packages/picky/messages/open", b'{"type": "text", ', 400, "JSON"),
        ("/packages/picky/messages/open", b" " * (9 * 1024 * 1024), 413, "large"),
        ("/packages/nowhere/messages/open", json.dumps(GOOD).encode(), 404, "nowhere"),
    ],
    ids=["broken JSON", "too large", "unknown package"],
)
async def test_a_bad_request_says_what_is_wrong(
    live: RunningSystem, package: str, path: str, raw: bytes, status: int, words: str
) -> None:
    answer = await live.ask("POST", path, raw=raw)
    assert answer.status == status, answer.body
    assert words in answer.body["title"] + answer.body["detail"]


async def test_a_wrong_key_gets_nothing(live: RunningSystem, package: str) -> None:
    answer = await live.ask("POST", f"/packages/{package}/messages/open", GOOD, Authorization="Bearer nonsense")
    assert answer.status == 401


async def test_a_doubled_recipient_is_sent_to_once_and_reported(live: RunningSystem) -> None:
    await live.create_package("doubles", 1)
    answer = await live.ask("POST", "/packages/doubles/messages/open", {**GOOD, "recipients": ["201000000007"] * 3})
    assert (answer.status, answer.body["duplicates_removed"]) == (202, 2)

    async def arrived() -> list[dict[str, Any]]:
        return await live.ledger(answer.body["message_id"])

    assert len(await eventually(arrived, 30)) == 1


async def _dead_letter_of_router(reader: AIOKafkaConsumer) -> bytes | None:
    """The next dead letter of the router. Every group that reads the topic writes its own dead letters."""
    async with asyncio.timeout(30):
        while True:
            record = await reader.getone()
            headers = dict(record.headers)
            if headers["dead_letter_group"] == b"router":
                assert headers["dead_letter_reason"]
                return record.value


async def test_unreadable_records_and_unknown_types_are_dead_letters_and_the_next_record_is_handled(
    live: RunningSystem,
) -> None:
    await live.create_package("garbage", 1)
    kafka = f"127.0.0.1:{live.ports['kafka']}"
    topic = "spreader.message-requested.open"
    valid_headers = [("ce_id", b"1"), ("ce_type", b"spreader.message-requested.open.v1")]
    producer, reader = (
        AIOKafkaProducer(bootstrap_servers=kafka, acks="all"),
        AIOKafkaConsumer("spreader.dead-letter", bootstrap_servers=kafka, auto_offset_reset="earliest"),
    )
    await producer.start()
    await reader.start()
    try:
        await producer.send_and_wait(topic, b"\xff\x00 not JSON", key=b"garbage", headers=valid_headers)
        await producer.send_and_wait(topic, b"{}", key=b"garbage", headers=[("ce_id", b"2"), ("ce_type", b"who?")])
        dead_letters = [await _dead_letter_of_router(reader), await _dead_letter_of_router(reader)]
    finally:
        await producer.stop()
        await reader.stop()
    assert dead_letters == [b"\xff\x00 not JSON", b"{}"]
    answer = await live.ask("POST", "/packages/garbage/messages/open", {**GOOD, "recipients": ["201000000009"]})
    assert (answer.status, answer.body["distribution"]) == (202, {"garbage_p1": 1})
