"""Dead letter: a record that cannot be handled or published. It is kept in the dead letter topic with the reason."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from spreader.contract.events import DEAD_LETTER_TOPIC, Event
from spreader.kafka.bus import EnvelopeBus, RecordBus, RecordsRefused
from spreader.kafka.envelope import Envelope
from spreader.telemetry.metrics import DEAD_LETTERS
from spreader.text.clean_text import clean

REASON_CHARACTERS_MAX = 2_000
HEADER_PREFIX = "dead_letter_"
WITHOUT_BODY = f"{HEADER_PREFIX}without_body"
ENDED = f"{HEADER_PREFIX}ended"
"""This header says that the deliveries of the record have ended. A replay would send them after their end."""


async def send_to_dead_letter(
    bus: EnvelopeBus, record: Envelope, reason: str, group: str, origin: Mapping[str, str]
) -> None:
    """Write `record` to the dead letter topic with the `reason`. If it is too large for this topic, its body is left
    out.

    The topic of `record` is the one that the record belongs to. `origin` says where the record was in Kafka. It is
    empty if the record never was there.
    """
    headers = {
        **record.headers,
        f"{HEADER_PREFIX}reason": clean(reason[:REASON_CHARACTERS_MAX]),
        f"{HEADER_PREFIX}group": group,
        f"{HEADER_PREFIX}topic": record.topic,
        **{f"{HEADER_PREFIX}{name}": value for name, value in origin.items()},
    }
    letter = Envelope(DEAD_LETTER_TOPIC, record.key, record.body or b"", headers)
    try:
        await bus.publish_envelopes(letter)
    except RecordsRefused:
        await bus.publish_envelopes(replace(letter, body=b"", headers={**headers, WITHOUT_BODY: "1"}))
    DEAD_LETTERS.labels(group).inc()


@dataclass(frozen=True, slots=True)
class DeadLetterBus:
    """A bus for publishers that no caller waits for. A record that Kafka refuses for good becomes a dead letter of the
    service, so it holds up no others.

    `ended_by_caller`: events of these types do not become dead letters. `publish` raises RecordsRefused for them, and
    its caller states the end of their deliveries.
    """

    bus: RecordBus
    service: str
    ended_by_caller: tuple[type[Event], ...] = ()

    def __post_init__(self) -> None:
        DEAD_LETTERS.labels(self.service)

    async def publish(self, *events: Event) -> None:
        try:
            await self.bus.publish(*events)
        except RecordsRefused as error:
            to_end = [record for record in error.refused if isinstance(events[record.index], self.ended_by_caller)]
            for record in error.refused:
                if record not in to_end:
                    await send_to_dead_letter(self.bus, record.envelope, record.reason, self.service, {})
            if to_end:
                raise RecordsRefused(to_end) from error
