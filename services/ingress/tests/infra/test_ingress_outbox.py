"""Outbox: large messages are published in small pieces, in order, and settings do not wait behind them."""

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.infra import outbox
from ingress.infra.outbox import BULK_MAX, BULK_PAUSE_SECONDS, POLL_SECONDS, EnvelopeRelay, without_superseded
from ingress.sql.outbox import OutboxRow
from ingress.testing import MemoryLog
from spreader.contract.configuration import Package
from spreader.contract.content import TextContent
from spreader.contract.events import OpenMessageRequested, PackageConfigured
from spreader.kafka.envelope import Envelope, encode
from spreader.testing import MemoryTable

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def piece(number: int) -> Envelope:
    event = OpenMessageRequested(
        package_id="pkg", message_id="msg_1", content=TextContent(type="text", text="Hello"),
        recipients=("201000000001",), first_index=number * 500, total=100_000, requested_at=NOON,
    )  # fmt: skip
    return encode(event, "ingress", NOON)


def setting(version: int) -> Envelope:
    package = Package(package_id="pkg", version=version, name="Orders")
    return encode(PackageConfigured(package=package, at=NOON), "ingress", NOON)


async def test_a_bulk_import_is_published_in_pieces_and_settings_overtake_it(engine: AsyncEngine) -> None:
    """Fails if one run takes all rows, if it does not pause, and if rows are published strictly in order."""
    log = MemoryLog(PackageConfigured, MemoryTable[PackageConfigured]())
    relay = EnvelopeRelay(engine, log)
    pieces = [piece(number) for number in range(2 * BULK_MAX + 1)]
    async with engine.begin() as connection:
        await outbox.put(connection, [*pieces, setting(2)])
    pauses = [await relay.run_once()]
    assert [each.topic for each in log.envelopes] == [PackageConfigured.topic, *[OpenMessageRequested.topic] * BULK_MAX]
    pauses += [await relay.run_once() for _ in range(3)]
    assert pauses == [BULK_PAUSE_SECONDS, BULK_PAUSE_SECONDS, 0.0, POLL_SECONDS]
    published = [each.body for each in log.envelopes if each.topic == OpenMessageRequested.topic]
    assert published == [each.body for each in pieces]


def test_of_several_snapshots_of_a_package_in_one_batch_only_the_newest_is_published() -> None:
    def row(topic: str, key: str, body: str) -> OutboxRow:
        return OutboxRow(int(body), topic, key, body, {})

    config, message = PackageConfigured.topic, OpenMessageRequested.topic
    rows = [
        row(config, "a", "1"), row(message, "a", "2"), row(config, "b", "3"), row(message, "a", "4"),
        row(config, "a", "5"),
    ]  # fmt: skip
    assert [each.body for each in without_superseded(rows)] == ["2", "3", "4", "5"]
