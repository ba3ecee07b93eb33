"""Outbox: large messages are handed on in small pieces, in order, and settings do not wait behind them."""

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.infra import outbox
from ingress.infra.outbox import BULK_MAX, BULK_PAUSE_SECONDS, POLL_SECONDS, OutboxRelay
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


async def test_a_bulk_import_goes_on_in_pieces_and_a_setting_passes_it(engine: AsyncEngine) -> None:
    """Dies when a turn takes all there is, when it does not pause, and when rows go strictly in their order."""
    log = MemoryLog(PackageConfigured, MemoryTable[PackageConfigured]())
    relay = OutboxRelay(engine, log)
    pieces = [piece(number) for number in range(2 * BULK_MAX + 1)]
    async with engine.begin() as connection:
        await outbox.put(connection, [*pieces, setting(2)])
    pauses = [await relay.run_once()]
    assert [each.topic for each in log.envelopes] == [PackageConfigured.topic, *[OpenMessageRequested.topic] * BULK_MAX]
    pauses += [await relay.run_once() for _ in range(3)]
    assert pauses == [BULK_PAUSE_SECONDS, BULK_PAUSE_SECONDS, 0.0, POLL_SECONDS]
    told = [each.body for each in log.envelopes if each.topic == OpenMessageRequested.topic]
    assert told == [each.body for each in pieces]
