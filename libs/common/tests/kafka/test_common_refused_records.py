"""Refused records: Kafka's refusal of a record holds up no other record, and the record is not lost without a trace."""

from collections.abc import AsyncGenerator, Sequence

import pytest
from topic_harness import NOON, TopicHarness, alert

from spreader.contract.events import DEAD_LETTER_TOPIC, Alert, MessageRouted, PackageConfigured
from spreader.kafka import dead_letter_replay
from spreader.kafka.bus import RecordsRefused
from spreader.kafka.client import KafkaBus
from spreader.kafka.dead_letter import WITHOUT_BODY, DeadLetterBus, send_to_dead_letter
from spreader.kafka.envelope import Envelope, encode
from spreader.kafka.guarded_consumer import Received
from spreader.testing import kafka_bus, record_counts

pytestmark = pytest.mark.kafka

TOPICS = (Alert.topic, MessageRouted.topic, PackageConfigured.topic, DEAD_LETTER_TOPIC)


@pytest.fixture
async def bus(kafka_servers: str) -> AsyncGenerator[KafkaBus]:
    async with kafka_bus(kafka_servers) as bus:
        yield bus


def large(number: int, megabytes: float) -> Alert:
    return alert(number).model_copy(update={"evidence": "x" * int(megabytes * 1024 * 1024)})


async def test_all_other_records_of_the_call_are_published(kafka_servers: str, bus: KafkaBus) -> None:
    """Refused by the broker, by the client, for its partition, and for its missing key in a compacted topic."""
    before = await record_counts(kafka_servers, *TOPICS)
    good = [encode(alert(number), "test", NOON) for number in range(4)]
    callback = MessageRouted(callback_partition=99, message_id="msg_1", first_index=0, distribution={})
    refused = [encode(event, "test", NOON) for event in (large(1, 1.5), large(1, 3), callback)]
    refused.append(Envelope(PackageConfigured.topic, None, b"{}", {}))
    with pytest.raises(RecordsRefused) as raised:
        await bus.publish_envelopes(good[0], refused[0], good[1], *refused[1:], *good[2:])
    assert [record.index for record in raised.value.refused] == [1, 3, 4, 5]
    grown = await record_counts(kafka_servers, *TOPICS) - before
    assert grown[Alert.topic] >= len(good)  # a good record after a refused one of its key may be repeated
    assert set(grown) == {Alert.topic}
    with pytest.raises(RecordsRefused):
        await bus.publish(large(1, 1.5))


async def test_a_refused_record_becomes_a_dead_letter(harness: TopicHarness, kafka_servers: str, bus: KafkaBus) -> None:
    """One that is too large for the dead letter topic keeps its headers there."""
    before = await record_counts(kafka_servers, *TOPICS)
    await DeadLetterBus(bus, harness.group).publish(alert(1), large(2, 1.5), large(3, 2.5), alert(4))
    assert (await record_counts(kafka_servers, *TOPICS) - before)[DEAD_LETTER_TOPIC] == 2
    letters = {dict(letter.headers)["ce_id"]: letter for letter in await harness.dead_letters(2)}
    whole, cut = letters[large(2, 0).event_id.encode()], letters[large(3, 0).event_id.encode()]
    assert len(whole.value or b"") > 1024 * 1024
    assert dict(whole.headers)["dead_letter_reason"].startswith(b"MessageSizeTooLargeError")
    assert (cut.value, dict(cut.headers)[WITHOUT_BODY]) == (b"", b"1")


async def test_a_reason_with_half_a_character_does_not_block_the_dead_letter(harness: TopicHarness) -> None:
    """A handler's error may quote a text from outside."""

    async def fail(batch: Sequence[Received[Alert]]) -> None:
        raise ValueError("cannot read \ud83d")

    await harness.put(alert(1))
    await harness.join(fail)
    (letter,) = await harness.dead_letters(1)
    assert dict(letter.headers)["dead_letter_reason"].decode() == "ValueError: cannot read \ufffd"


async def test_a_letter_without_its_record_is_not_replayed(harness: TopicHarness, bus: KafkaBus) -> None:
    await send_to_dead_letter(bus, encode(large(1, 2.5), "test", NOON), "too large", harness.group, {})
    (letter,) = await harness.dead_letters(1)
    wanted = dead_letter_replay.ReplayFilter(group=harness.group)
    summary = await dead_letter_replay.replay(harness.settings, wanted, lambda line: None, send=True)
    assert (summary.selected, summary.without_body) == (0, 1)
    assert letter.value == b""
