"""Dead letter replay on a real Kafka: each dead letter is handled once after the fix, and nothing else changes."""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from topic_harness import PARTITION, TOPIC, Headers, TopicHarness, alert

from spreader.clock import wall_now
from spreader.contract.events import DEAD_LETTER_TOPIC, Alert, MessageCancelled
from spreader.kafka.client import client_arguments
from spreader.kafka.dead_letter_replay import REPLAYED_FROM, ReplayFilter, ReplaySummary, replay
from spreader.kafka.envelope import first_written
from spreader.kafka.guarded_consumer import Received

pytestmark = pytest.mark.kafka

WHOLE: Headers = [("ce_id", b"alr_9"), ("ce_type", Alert.type.encode())]
PHONE = "201000000001"


@dataclass
class RecordingHandler:
    """A handler that fails for one alert while it is `broken`."""

    broken: bool = True
    done: Counter[str] = field(default_factory=Counter[str])

    async def __call__(self, batch: Sequence[Received[Alert]]) -> None:
        names = [each.event.alert_id for each in batch]
        if self.broken and "alr_1" in names:
            raise ValueError("it cannot be counted")
        self.done.update(names)


@pytest.fixture
async def handler(harness: TopicHarness) -> RecordingHandler:
    """A handler after two dead letters: alr_1, on which it failed, and a record that is not an event."""
    handler = RecordingHandler()
    await harness.join(handler)
    await harness.put(alert(1))
    await harness.put_raw(b"no event", WHOLE, key=f"pkg_1:{PHONE}".encode())
    await harness.put(alert(2))
    await harness.dead_letters(2)
    await harness.wait_until_consumed()
    assert handler.done == {"alr_2": 1}
    return handler


async def asked(harness: TopicHarness, send: bool = False, **wanted: Any) -> tuple[ReplaySummary, list[str]]:
    lines: list[str] = []
    summary = await replay(harness.settings, replace(ReplayFilter(group=harness.group), **wanted), lines.append, send)
    return summary, lines


async def test_a_dead_letter_is_handled_once_when_the_handler_is_fixed(
    harness: TopicHarness, handler: RecordingHandler
) -> None:
    handler.broken = False
    before = (await harness.dead_letters(2))[0]
    summary, lines = await asked(harness, send=True, reason="cannot be COUNTED")
    assert (summary.selected, summary.already_replayed) == (1, 0)
    assert len(lines) == 1
    await harness.wait_until_consumed()
    assert handler.done == {"alr_1": 1, "alr_2": 1}
    again, lines = await asked(harness, send=True, reason="cannot be counted")
    assert (again.selected, again.already_replayed, lines) == (0, 1, [])
    await harness.wait_until_consumed()
    assert handler.done == {"alr_1": 1, "alr_2": 1}
    record = await last(harness)
    assert (record.key, record.value) == (before.key, before.value)
    ours = {name: value for name, value in before.headers if not name.startswith("dead_letter_")}
    assert dict(record.headers) == {**ours, REPLAYED_FROM: f"{before.partition}/{before.offset}".encode()}
    first = (await harness.dead_letters(2))[0]
    assert first_written(record) < datetime.fromtimestamp(first.timestamp / 1000, UTC) + timedelta(milliseconds=1)
    assert first_written(record) == first_written(first) < datetime.fromtimestamp(record.timestamp / 1000, UTC)


async def test_a_dead_letter_that_fails_again_can_be_replayed_again(
    harness: TopicHarness, handler: RecordingHandler
) -> None:
    await asked(harness, send=True, reason="counted")
    await harness.dead_letters(3)
    await harness.wait_until_consumed()
    handler.broken = False
    summary, lines = await asked(harness, send=True, reason="counted")
    assert (summary.selected, summary.already_replayed) == (1, 1)
    assert "failed again after a replay" in lines[0]
    await harness.wait_until_consumed()
    assert handler.done == {"alr_1": 1, "alr_2": 1}


async def test_listing_changes_nothing_and_shows_no_phone_number(
    harness: TopicHarness, handler: RecordingHandler
) -> None:
    handler.broken = False
    ends = await harness.end()
    summary, lines = await asked(harness)
    assert summary.selected == 2
    assert await harness.end() == ends
    assert any("it cannot be counted" in line and TOPIC in line for line in lines)
    assert any("pkg_1:…01" in line for line in lines)
    assert PHONE not in "\n".join(lines)
    assert (await asked(harness))[0] == summary
    assert len(await harness.dead_letters(2)) == 2


async def test_filters_select_and_the_rest_stays_for_another_run(
    harness: TopicHarness, handler: RecordingHandler
) -> None:
    soon = wall_now() + timedelta(minutes=1)
    for nothing in (
        {"topic": MessageCancelled.topic},
        {"group": "nobody"},
        {"since": soon},
        {"reason": "no such"},
        {"until": soon - timedelta(hours=1)},
    ):
        assert (await asked(harness, send=True, **nothing))[0].selected == 0
    assert (await asked(harness, send=True, reason="Invalid JSON", topic=TOPIC, until=soon))[0].selected == 1
    await harness.dead_letters(3)  # it still cannot be decoded
    assert (await asked(harness, since=soon - timedelta(hours=1), reason="counted"))[0].selected == 1


async def test_the_command_reports_what_it_would_do_and_what_it_did(
    harness: TopicHarness, handler: RecordingHandler
) -> None:
    handler.broken = False
    said = await command(harness, "--group", harness.group, "--reason", "counted")
    assert "1 would be replayed (add --send to do it)" in said
    assert "1 replayed, 0 were replayed before" in await command(
        harness, "--group", harness.group, "--reason", "counted", "--send"
    )
    assert "0 replayed, 1 were replayed before" in await command(
        harness, "--group", harness.group, "--reason", "counted", "--send"
    )
    await harness.wait_until_consumed()
    assert handler.done == {"alr_1": 1, "alr_2": 1}


async def last(harness: TopicHarness) -> ConsumerRecord[bytes, bytes]:
    """The newest record of the topic."""
    consumer = AIOKafkaConsumer(**client_arguments(harness.settings))
    await consumer.start()
    try:
        consumer.assign([PARTITION])
        consumer.seek(PARTITION, await harness.end() - 1)
        return await consumer.getone()
    finally:
        await consumer.stop()


async def command(harness: TopicHarness, *arguments: str) -> str:
    environment = {**os.environ, "SPREADER_KAFKA_BOOTSTRAP_SERVERS": harness.settings.kafka_bootstrap_servers}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "spreader", "replay", *arguments, env=environment, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said
    return said.decode()


async def test_a_record_whose_deliveries_have_ended_is_not_replayed(harness: TopicHarness) -> None:
    letter = {"dead_letter_group": harness.group, "dead_letter_topic": TOPIC, "dead_letter_ended": "1"}
    headers = [(name, value.encode()) for name, value in letter.items()]
    await harness.producer.send_and_wait(DEAD_LETTER_TOPIC, b"{}", headers=headers)
    summary, lines = await asked(harness, send=True)
    assert (summary.ended, summary.selected, lines) == (1, 0, [])
