"""Guarded consumer on a real Kafka: dead letters, retries, and no lost record."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest
from topic_harness import NOON, TOPIC, Headers, TopicHarness, alert

from spreader.clock import Clock
from spreader.contract.events import Alert, MessageCancelled
from spreader.kafka.bus import PublishFailed
from spreader.kafka.client import KafkaBus, create_broker
from spreader.kafka.component import KafkaComponent
from spreader.kafka.envelope import encode
from spreader.kafka.guarded_consumer import GuardedConsumer, Received

pytestmark = pytest.mark.kafka

WHOLE: Headers = [("ce_id", b"alr_9"), ("ce_type", Alert.type.encode())]
HOPELESS: list[tuple[str, bytes | None, Headers, str]] = [
    ("garbage", b"\x00\xff garbage", WHOLE, "body: Invalid JSON"),
    ("garbage that says it is JSON", b"{", [*WHOLE, ("content-type", b"application/json")], "body: Invalid JSON"),
    ("no headers", b"{}", [], "`ce_id` is missing"),
    ("an unknown type", b"{}", [("ce_id", b"1"), ("ce_type", b"spreader.alert.v9")], "does not know"),
    ("an event of another topic", b"{}", [("ce_id", b"1"), ("ce_type", MessageCancelled.type.encode())], "belongs to"),
    ("a wrong shape", b'{"alert_id": 7}', WHOLE, "profile_id: Field required"),
    ("headers that are no text", b"{}", [("ce_id", b"\xff"), ("ce_type", b"\xfe\xff")], "does not know"),
    ("no body", None, WHOLE, "has no body"),
    ("nearly a megabyte", b"x" * 1_000_000, WHOLE, "body: Invalid JSON"),
]


class RecordingHandler:
    """A handler that records successful calls; `moods` are the errors of its next calls."""

    def __init__(self, *moods: Exception, rejects: frozenset[str] = frozenset()) -> None:
        self.moods = list(moods)
        self.rejects = rejects
        self.done: Counter[str] = Counter()
        self.calls: list[list[str]] = []

    async def __call__(self, batch: Sequence[Received[Alert]]) -> None:
        names = [each.event.alert_id for each in batch]
        self.calls.append(names)
        if self.moods:
            raise self.moods.pop(0)
        if self.rejects & {*names}:
            raise ValueError("it cannot be counted")
        self.done.update(names)


@pytest.mark.parametrize(("name", "body", "headers", "reason"), HOPELESS, ids=[case[0] for case in HOPELESS])
async def test_an_undecodable_record_becomes_a_dead_letter_unchanged_and_the_next_is_handled(
    harness: TopicHarness, name: str, body: bytes | None, headers: Headers, reason: str
) -> None:
    handler = RecordingHandler()
    start = await harness.end()
    await harness.put(alert(1))
    await harness.put_raw(body, headers, key=b"prf_1")
    await harness.put(alert(2))
    await harness.join(handler)
    await harness.wait_until_consumed()
    (dead,) = await harness.dead_letters(1)
    assert handler.done == {"alr_1": 1, "alr_2": 1}
    assert (dead.value, dead.key) == (body or b"", b"prf_1")
    said = {key: value.decode() for key, value in dead.headers}
    assert reason in said["dead_letter_reason"]
    assert (said["dead_letter_topic"], said["dead_letter_partition"]) == (TOPIC, "0")
    assert said["dead_letter_offset"] == str(start + 1)


async def test_the_reason_of_a_dead_letter_contains_no_value_of_the_record(harness: TopicHarness) -> None:
    await harness.put_raw(b'{"alert_id": "+201001234567 is no id"}', WHOLE)
    await harness.join(RecordingHandler())
    (dead,) = await harness.dead_letters(1)
    assert b"201001234567" not in dict(dead.headers)["dead_letter_reason"]


@pytest.mark.parametrize("failure", [OSError("the database is away"), PublishFailed("Kafka is away")])
async def test_a_transient_failure_is_retried_until_it_passes(harness: TopicHarness, failure: Exception) -> None:
    handler = RecordingHandler(*[failure] * 6)
    await harness.put(alert(1), alert(2))
    await harness.join(handler)
    await harness.wait_until_consumed()
    assert handler.done == {"alr_1": 1, "alr_2": 1}
    assert await harness.dead_letters(0) == []


async def test_during_failures_the_offset_is_not_committed_and_another_member_gets_the_records(
    harness: TopicHarness,
) -> None:
    start = await harness.end()
    failed = asyncio.Event()

    async def fail(batch: Sequence[Received[Alert]]) -> None:
        failed.set()
        raise OSError("the database is away")

    await harness.put(alert(1), alert(2))
    unlucky = await harness.join(fail)
    await failed.wait()
    await harness.leave(unlucky)
    assert await harness.committed() == start
    handler = RecordingHandler()
    await harness.join(handler)
    await harness.wait_until_consumed()
    assert handler.done == {"alr_1": 1, "alr_2": 1}


async def test_an_undecodable_record_in_a_retried_batch_becomes_one_dead_letter(harness: TopicHarness) -> None:
    handler = RecordingHandler(*[OSError("the database is away")] * 4)
    await harness.put_raw(b"garbage", WHOLE)
    await harness.put(alert(1))
    await harness.join(handler)
    await harness.wait_until_consumed()
    assert len(await harness.dead_letters(1)) == 1
    assert handler.done == {"alr_1": 1}


async def test_only_the_record_that_breaks_the_handler_becomes_a_dead_letter(harness: TopicHarness) -> None:
    handler = RecordingHandler(rejects=frozenset({"alr_3", "alr_5"}))
    await harness.put(*map(alert, range(1, 8)))
    await harness.join(handler)
    await harness.wait_until_consumed()
    dead = await harness.dead_letters(2)
    assert [dict(each.headers)["ce_id"] for each in dead] == [b"alr_3/raised", b"alr_5/raised"]
    assert all(dict(each.headers)["dead_letter_reason"] == b"ValueError: it cannot be counted" for each in dead)
    assert handler.done == {f"alr_{number}": 1 for number in (1, 2, 4, 6, 7)}


async def test_a_failure_that_passes_after_two_tries_makes_no_dead_letter(harness: TopicHarness) -> None:
    handler = RecordingHandler(ValueError("a race"), ValueError("a race"))
    await harness.put(alert(1))
    await harness.join(handler)
    await harness.wait_until_consumed()
    assert handler.done == {"alr_1": 1}
    assert await harness.dead_letters(0) == []


async def test_records_after_a_failing_one_are_handled_in_batches_again(harness: TopicHarness) -> None:
    handler = RecordingHandler(rejects=frozenset({"alr_1"}))
    await harness.put(alert(1))
    await harness.join(handler)
    await harness.wait_until_consumed()
    handler.calls.clear()
    await harness.put(*map(alert, range(2, 6)))
    await harness.wait_until_consumed()
    assert [name for call in handler.calls for name in call] == ["alr_2", "alr_3", "alr_4", "alr_5"]


async def test_records_of_an_ignored_publisher_are_passed_over(harness: TopicHarness) -> None:
    """The harness publishes as `test`; the other record is as another service would publish it."""
    seen = list[str]()

    async def handle(batch: Sequence[Received[Alert]]) -> None:
        seen.extend(received.event.alert_id for received in batch)

    broker = create_broker(harness.settings, "test")
    bus = KafkaBus(broker, "other", Clock())
    consumer = GuardedConsumer(harness.group, handle, (Alert,), bus, ignored_publisher="test")
    consumer.subscribe(broker, harness.settings)
    component = KafkaComponent(broker, harness.settings, [consumer])
    await component.start()
    await harness.put(alert("ours"))
    await harness.put_raw(*_published(alert("another"), "other"))
    await harness.wait_until_consumed()
    await component.stop()
    assert seen == ["alr_another"]


def _published(event: Alert, source: str) -> tuple[bytes | None, list[tuple[str, bytes]]]:
    envelope = encode(event, source, NOON)
    return envelope.body, [(name, value.encode()) for name, value in envelope.headers.items()]
