"""Replay on real Kafka: what was buried is handled once, when its handler is mended; nothing else is touched."""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from kafka_post import PLACE, TOPIC, Headers, Post, alert

from spreader.clock import wall_now
from spreader.contract.events import Alert, MessageCancelled
from spreader.kafka.client import client_arguments
from spreader.kafka.dead_letter_replay import REPLAYED_FROM, ReplayFilter, ReplaySummary, replay
from spreader.kafka.guarded_consumer import Received

pytestmark = pytest.mark.kafka

WHOLE: Headers = [("ce_id", b"alr_9"), ("ce_type", Alert.type.encode())]
PHONE = "201000000001"


@dataclass
class Clerk:
    """A handler that fails for one alert until it is mended."""

    broken: bool = True
    done: Counter[str] = field(default_factory=Counter[str])

    async def __call__(self, batch: Sequence[Received[Alert]]) -> None:
        names = [each.event.alert_id for each in batch]
        if self.broken and "alr_1" in names:
            raise ValueError("it cannot be counted")
        self.done.update(names)


@pytest.fixture
async def clerk(post: Post) -> Clerk:
    """Who has buried alr_1, which failed, and one that is no event at all."""
    clerk = Clerk()
    await post.member(clerk)
    await post.put(alert(1))
    await post.put_raw(b"no event", WHOLE, key=f"pkg_1:{PHONE}".encode())
    await post.put(alert(2))
    await post.dead_letters(2)
    await post.all_read()
    assert clerk.done == {"alr_2": 1}
    return clerk


async def asked(post: Post, send: bool = False, **wanted: Any) -> tuple[ReplaySummary, list[str]]:
    lines: list[str] = []
    summary = await replay(post.settings, replace(ReplayFilter(group=post.group), **wanted), lines.append, send)
    return summary, lines


async def test_what_was_buried_is_handled_once_when_the_handler_is_mended(post: Post, clerk: Clerk) -> None:
    clerk.broken = False
    before = (await post.dead_letters(2))[0]
    summary, lines = await asked(post, send=True, reason="cannot be COUNTED")
    assert (summary.selected, summary.already_replayed) == (1, 0)
    assert len(lines) == 1
    await post.all_read()
    assert clerk.done == {"alr_1": 1, "alr_2": 1}
    again, lines = await asked(post, send=True, reason="cannot be counted")
    assert (again.selected, again.already_replayed, lines) == (0, 1, [])
    await post.all_read()
    assert clerk.done == {"alr_1": 1, "alr_2": 1}
    record = await last(post)
    assert (record.key, record.value) == (before.key, before.value)
    ours = {name: value for name, value in before.headers if not name.startswith("dead_letter_")}
    assert dict(record.headers) == {**ours, REPLAYED_FROM: f"{before.partition}/{before.offset}".encode()}


async def test_what_fails_again_is_buried_again_and_may_be_sent_again(post: Post, clerk: Clerk) -> None:
    await asked(post, send=True, reason="counted")
    await post.dead_letters(3)
    await post.all_read()
    clerk.broken = False
    summary, lines = await asked(post, send=True, reason="counted")
    assert (summary.selected, summary.already_replayed) == (1, 1)
    assert "failed again after a replay" in lines[0]
    await post.all_read()
    assert clerk.done == {"alr_1": 1, "alr_2": 1}


async def test_looking_changes_nothing_and_shows_no_phone_number(post: Post, clerk: Clerk) -> None:
    clerk.broken = False
    ends = await post.end()
    summary, lines = await asked(post)
    assert summary.selected == 2
    assert await post.end() == ends
    assert any("it cannot be counted" in line and TOPIC in line for line in lines)
    assert any("pkg_1:…01" in line for line in lines)
    assert PHONE not in "\n".join(lines)
    assert (await asked(post))[0] == summary
    assert len(await post.dead_letters(2)) == 2


async def test_filters_choose_and_the_rest_stays_for_another_run(post: Post, clerk: Clerk) -> None:
    soon = wall_now() + timedelta(minutes=1)
    for nothing in ({"topic": MessageCancelled.topic}, {"group": "nobody"}, {"since": soon}, {"reason": "no such"},
                    {"until": soon - timedelta(hours=1)}):  # fmt: skip
        assert (await asked(post, send=True, **nothing))[0].selected == 0
    assert (await asked(post, send=True, reason="Invalid JSON", topic=TOPIC, until=soon))[0].selected == 1
    await post.dead_letters(3)  # it is no event this time, either
    assert (await asked(post, since=soon - timedelta(hours=1), reason="counted"))[0].selected == 1


async def test_the_command_says_what_it_would_do_and_what_it_did(post: Post, clerk: Clerk) -> None:
    clerk.broken = False
    said = await command(post, "--group", post.group, "--reason", "counted")
    assert "1 would be replayed (add --send to do it)" in said
    assert "1 replayed, 0 were replayed before" in await command(
        post, "--group", post.group, "--reason", "counted", "--send"
    )
    assert "0 replayed, 1 were replayed before" in await command(
        post, "--group", post.group, "--reason", "counted", "--send"
    )
    await post.all_read()
    assert clerk.done == {"alr_1": 1, "alr_2": 1}


async def last(post: Post) -> ConsumerRecord[bytes, bytes]:
    """The newest record of the topic."""
    consumer = AIOKafkaConsumer(**client_arguments(post.settings))
    await consumer.start()
    try:
        consumer.assign([PLACE])
        consumer.seek(PLACE, await post.end() - 1)
        return await consumer.getone()
    finally:
        await consumer.stop()


async def command(post: Post, *arguments: str) -> str:
    environment = {**os.environ, "SPREADER_KAFKA_BOOTSTRAP_SERVERS": post.settings.kafka_bootstrap_servers}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "spreader", "replay", *arguments, env=environment, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said
    return said.decode()
