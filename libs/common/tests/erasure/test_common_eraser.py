"""Eraser on a real Postgres: it removes in pieces, waits for what must end, and remembers only a hash of the number."""

from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from erasure_harness import ERASURE_TABLE
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from local.testbed.sql_search import tables_with
from spreader.contract.events import DeliveryOutcome, ErasureReported, RecipientErased
from spreader.contract.ids import ERASED, new_id
from spreader.erasure import eraser as eraser_module
from spreader.erasure.eraser import Eraser, report_to
from spreader.erasure.postgres import ErasureTable, outcome_fact
from spreader.erasure.sql_condition import is_erased
from spreader.erasure.sql_removals import OF_NUMBER, Removal
from spreader.kafka.guarded_consumer import Received
from spreader.runtime.postgres import create_engine
from spreader.settings import Settings
from spreader.testing import MemoryBus

pytestmark = pytest.mark.postgres

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NUMBER, OTHER = "201000000011", "201000000012"
REMOVALS = (
    Removal("reader.letter", f"{OF_NUMBER} AND mine.is_ended", "recipient = :erased"),
    Removal("reader.friend", OF_NUMBER, lead="owner"),
)
TABLES = (
    "CREATE TABLE reader.letter (recipient text, is_ended boolean)",
    "CREATE TABLE reader.friend (owner text, recipient text, PRIMARY KEY (owner, recipient))",
)


@pytest.fixture
async def engine(database_url: str) -> AsyncGenerator[AsyncEngine]:
    engine = create_engine(Settings(database_url=database_url), "reader")
    async with engine.begin() as connection:
        for statement in ("CREATE SCHEMA reader", ERASURE_TABLE.format(schema="reader"), *TABLES):
            await connection.execute(text(statement))
    yield engine
    await engine.dispose()


def erased(recipient: str = NUMBER, keep: bool = True, at: datetime = NOON) -> RecipientErased:
    return RecipientErased(erasure_id=new_id("ers", at), recipient=recipient, keep_suppression=keep, at=at)


def received(*events: RecipientErased) -> Sequence[Received[RecipientErased]]:
    return [Received(event, event.topic, 0, offset) for offset, event in enumerate(events)]


def eraser_of(engine: AsyncEngine, bus: MemoryBus, *waits: str) -> Eraser:
    statements = [text(wait) for wait in waits]
    table = ErasureTable("reader", "secret")
    return Eraser(engine, table, lambda: NOON, REMOVALS, report_to(bus), statements)


async def run(eraser: Eraser, times: int = 20) -> None:
    for _ in range(times):
        await eraser.run_once()


async def test_all_pieces_are_removed_reported_once_and_only_a_hash_remains(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eraser_module, "ROWS_MAX", 3)
    async with engine.begin() as connection:
        for number in range(8):
            await connection.execute(
                text(f"INSERT INTO reader.friend VALUES ('o{number}', '{NUMBER}'), ('o{number}', '{OTHER}')")
            )
            await connection.execute(text(f"INSERT INTO reader.letter VALUES ('{NUMBER}', true)"))
    bus = MemoryBus(NOON)
    eraser, event = eraser_of(engine, bus), erased()
    await eraser.on_erased(received(event))
    await eraser.on_erased(received(event))
    await run(eraser)
    (report,) = bus.of(ErasureReported)
    assert (report.erasure_id, report.service) == (event.erasure_id, "reader")
    assert report.rows == {"reader.letter": 8, "reader.friend": 8}
    async with engine.connect() as connection:
        assert await tables_with(connection, NUMBER, "reader") == set()
        assert await tables_with(connection, OTHER, "reader") == {"reader.friend"}
        assert (
            await connection.execute(text(f"SELECT count(*) FROM reader.letter WHERE recipient = '{ERASED}'"))
        ).scalar() == 8


async def test_it_waits_for_what_has_not_ended_and_for_locked_rows(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(text(f"INSERT INTO reader.letter VALUES ('{NUMBER}', false)"))
        await connection.execute(text(f"INSERT INTO reader.friend VALUES ('a', '{NUMBER}')"))
    bus = MemoryBus(NOON)
    eraser = eraser_of(
        engine, bus, f"SELECT EXISTS (SELECT FROM reader.letter WHERE {OF_NUMBER.removeprefix('mine.')})"
    )
    await eraser.on_erased(received(erased()))
    async with engine.begin() as holder:
        await holder.execute(text("SELECT FROM reader.friend FOR UPDATE"))
        await holder.execute(text("UPDATE reader.letter SET is_ended = true"))
        await run(eraser, 3)
        assert bus.published == []
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE reader.erasure SET look_at = now()"))
    await run(eraser, 5)
    assert [report.rows for report in bus.of(ErasureReported)] == [{"reader.friend": 1, "reader.letter": 1}]


async def test_it_does_not_end_before_a_transaction_that_may_not_know_of_the_erasure(engine: AsyncEngine) -> None:
    bus = MemoryBus(NOON)
    eraser = eraser_of(engine, bus)
    async with engine.begin() as unaware:
        await unaware.execute(text("SELECT FROM reader.erasure"))  # it has seen no erasure, and has not written yet
        await eraser.on_erased(received(erased()))
        await run(eraser, 2)
        assert bus.published == []
        await unaware.execute(text(f"INSERT INTO reader.friend VALUES ('b', '{NUMBER}')"))
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE reader.erasure SET look_at = now()"))
    await run(eraser, 3)
    assert [report.rows for report in bus.of(ErasureReported)] == [{"reader.friend": 1}]


async def test_another_process_goes_on_where_one_has_died(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eraser_module, "ROWS_MAX", 1)
    async with engine.begin() as connection:
        await connection.execute(text(f"INSERT INTO reader.friend VALUES ('a', '{NUMBER}'), ('b', '{NUMBER}')"))
    bus, dead = MemoryBus(NOON), MemoryBus(NOON)
    await eraser_of(engine, dead).on_erased(received(erased()))
    await eraser_of(engine, dead).run_once()
    await run(eraser_of(engine, bus))
    assert ([report.rows for report in bus.of(ErasureReported)], dead.published) == ([{"reader.friend": 2}], [])


async def test_all_forms_of_the_number_are_erased(engine: AsyncEngine) -> None:
    old, new, other = "558299448232", "5582999448232", "558299448233"
    async with engine.begin() as connection:
        await connection.execute(
            text(f"INSERT INTO reader.friend VALUES ('a', '{old}'), ('b', '{new}'), ('b', '{other}')")
        )
    bus = MemoryBus(NOON)
    eraser = eraser_of(engine, bus)
    await eraser.on_erased(received(erased(old)))
    async with engine.connect() as connection:
        facts = [(old, NOON), (new, NOON), (other, NOON)]
        assert await eraser.table.are_erased(connection, facts) == [True, True, False]
    await run(eraser)
    assert [report.rows for report in bus.of(ErasureReported)] == [{"reader.friend": 2}]
    async with engine.connect() as connection:
        assert (await tables_with(connection, old, "reader"), await tables_with(connection, new, "reader")) == (
            set(),
            set(),
        )
        assert await tables_with(connection, other, "reader") == {"reader.friend"}


async def test_a_report_that_kafka_does_not_take_is_published_later(engine: AsyncEngine) -> None:
    bus = MemoryBus(NOON, away=True)
    eraser = eraser_of(engine, bus)
    await eraser.on_erased(received(erased()))
    with pytest.raises(Exception, match="the bus is down"):
        await run(eraser, 2)
    bus.away = False
    await run(eraser, 2)
    assert len(bus.of(ErasureReported)) == 1


async def test_only_facts_up_to_the_erasure_are_erased_also_under_an_earlier_token(engine: AsyncEngine) -> None:
    later, minute = NOON + timedelta(hours=1), timedelta(minutes=1)
    old, new = ErasureTable("reader", "old"), ErasureTable("reader", "new, old")
    async with engine.begin() as connection:
        await old.note(connection, [erased()], NOON)
        await new.note(connection, [erased(keep=False, at=later)], NOON)
        facts = [(NUMBER, later), (NUMBER, later + minute), (OTHER, NOON), (ERASED, later + minute)]
        assert await new.are_erased(connection, facts) == [True, False, False, True]
        found = (await new.of(connection, [NUMBER, OTHER], NOON))[NUMBER]
        assert (found.at, found.unkept_at, len(found.erasure_ids)) == (later, later, 2)
        assert await ErasureTable("reader", "another").of(connection, [NUMBER], NOON) == {}
        condition = text(f"SELECT {is_erased('reader', 'CAST(:number AS text)', 'CAST(:at AS timestamptz)')}")
        for table, number, at in ((new, NUMBER, later), (new, NUMBER, later + minute), (new, OTHER, NOON)):
            params = {"number": number, "at": at, "erasure_keys": table.keys}
            expected = (await table.are_erased(connection, [(number, at)]))[0]
            assert (await connection.execute(condition, params)).scalar_one() is expected
        assert await new.of(connection, [NUMBER], later + minute) == {}


def test_an_outcome_belongs_to_the_time_of_its_message() -> None:
    late = NOON + timedelta(days=2)
    common = {"package_id": "one", "delivery_id": "d", "recipient": NUMBER, "lane": "open"}

    def fact(message_id: str) -> tuple[str, datetime]:
        event = {**common, "message_id": message_id, "status": "read", "at": late}
        return outcome_fact(DeliveryOutcome.model_validate(event))

    assert fact(new_id("msg", NOON)) == (NUMBER, NOON)
    assert fact("chosen") == (NUMBER, late)
