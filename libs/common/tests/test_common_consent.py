"""Consent on a real Postgres: the lists folded from events, and what follows for a recipient."""

from collections.abc import AsyncGenerator, Collection
from datetime import UTC, datetime, timedelta

import pytest
from erasure_harness import ERASURE_TABLE
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.consent import NOT_OPTED_IN, SUPPRESSED, ConsentFollower, ConsentTable, objection
from spreader.contract.events import ConsentChanged, ConsentKind, RecipientErased
from spreader.erasure.postgres import ErasureTable
from spreader.kafka.guarded_consumer import Received
from spreader.phone.canonical import person_key
from spreader.runtime.postgres import create_engine
from spreader.settings import Settings
from spreader.testing import NoDeduplication

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ONE, TWO = "201000000011", "201000000012"
CONSENTS = ConsentTable("reader")


@pytest.mark.parametrize(
    ("listed", "opted_in_only", "expected"),
    [
        ((), False, None),
        ((), True, NOT_OPTED_IN),
        (("opt_in",), True, None),
        (("opt_in",), False, None),
        (("suppression",), False, SUPPRESSED),
        (("suppression", "opt_in"), True, SUPPRESSED),
    ],
)
def test_a_suppression_outweighs_an_opt_in(
    listed: Collection[ConsentKind], opted_in_only: bool, expected: str | None
) -> None:
    assert objection(listed, opted_in_only) == expected


@pytest.fixture
async def engine(database_url: str) -> AsyncGenerator[AsyncEngine]:
    engine = create_engine(Settings(database_url=database_url), "reader")
    async with engine.begin() as connection:
        await connection.execute(text("CREATE SCHEMA reader"))
        for table in ("consent", "consent_removal"):
            await connection.execute(
                text(
                    f"CREATE TABLE reader.{table} (package_id text, recipient text, kind text, at timestamptz,"
                    " PRIMARY KEY (recipient, package_id, kind))"
                )
            )
        await connection.execute(text(ERASURE_TABLE.format(schema="reader")))
    yield engine
    await engine.dispose()


def change(
    recipient: str, package_id: str = "one", kind: ConsentKind = "suppression", listed: bool = True, minute: int = 0
) -> ConsentChanged:
    at = NOON + timedelta(minutes=minute)
    return ConsentChanged(package_id=package_id, recipient=recipient, kind=kind, listed=listed, source="api", at=at)


async def read(engine: AsyncEngine, *changes: ConsentChanged) -> None:
    batch = [Received(each, each.topic, 0, offset) for offset, each in enumerate(changes)]
    await ConsentFollower(engine, NoDeduplication(), CONSENTS).on_changed(batch)


async def seen(engine: AsyncEngine, *places: tuple[str, str]) -> dict[tuple[str, str], list[str]]:
    keys = [(package_id, person_key(recipient)) for package_id, recipient in places]
    async with engine.connect() as connection:
        return {(one, who): sorted(kinds) for (one, who), kinds in (await CONSENTS.of(connection, keys)).items()}


@pytest.mark.postgres
async def test_a_list_for_all_packages_applies_to_each(engine: AsyncEngine) -> None:
    await read(engine, change(ONE), change(TWO, "*"), change(ONE, kind="opt_in"), change(ONE, "two", "opt_in"))
    assert await seen(engine, ("one", ONE), ("two", ONE), ("one", TWO), ("two", TWO), ("one", "201000000013")) == {
        ("one", ONE): ["opt_in", "suppression"],
        ("two", ONE): ["opt_in"],
        ("one", TWO): ["suppression"],
        ("two", TWO): ["suppression"],
    }


@pytest.mark.postgres
async def test_the_newest_change_of_a_batch_holds_and_a_repeat_changes_nothing(engine: AsyncEngine) -> None:
    batch = (change(ONE), change(TWO), change(ONE, listed=False), change(TWO, listed=False), change(TWO))
    for _ in range(2):
        await read(engine, *batch)
        assert await seen(engine, ("one", ONE), ("one", TWO)) == {("one", TWO): ["suppression"]}


@pytest.mark.postgres
@pytest.mark.parametrize("last", [True, False])
async def test_an_older_change_that_is_read_again_changes_nothing_and_is_not_reported(
    engine: AsyncEngine, last: bool
) -> None:
    """Red before: a recipient who had opted out counted as not opted out, until the newer change was read again."""
    older, newer = change(ONE, listed=not last, minute=1), change(ONE, listed=last, minute=2)
    await read(engine, older, newer)
    expected = {("one", ONE): ["suppression"]} if last else {}
    for again in ((older,), (newer,), (newer, older)):
        await read(engine, *again)
        assert await seen(engine, ("one", ONE)) == expected
    async with engine.begin() as connection:
        assert await CONSENTS.fold(connection, [older]) == []
        assert await CONSENTS.fold(connection, [newer]) == [newer]
        later = change(ONE, listed=not last, minute=3)
        assert await CONSENTS.fold(connection, [older, later, newer]) == [later]


@pytest.mark.postgres
async def test_a_change_that_an_older_version_stored_without_its_time_gives_way(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(text(f"INSERT INTO reader.consent VALUES ('one', '{ONE}', 'suppression', NULL)"))
    await read(engine, change(ONE))
    assert await seen(engine, ("one", ONE)) == {("one", ONE): ["suppression"]}
    await read(engine, change(ONE, listed=False, minute=1))
    assert await seen(engine, ("one", ONE)) == {}


@pytest.mark.postgres
@pytest.mark.parametrize("keep", [True, False])
async def test_older_changes_of_an_erased_person_leave_no_row_and_later_ones_count(
    engine: AsyncEngine, keep: bool
) -> None:
    erased = RecipientErased(erasure_id="ers_1", recipient=ONE, keep_suppression=keep, at=NOON + timedelta(minutes=5))
    async with engine.begin() as connection:
        await ErasureTable("reader").note(connection, [erased], NOON)
    await read(engine, change(ONE), change(ONE, kind="opt_in"), change(ONE, "two", listed=False), change(TWO))
    kept = {("one", ONE): ["suppression"]} if keep else {}
    assert await seen(engine, ("one", ONE), ("one", TWO)) == {**kept, ("one", TWO): ["suppression"]}
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM reader.consent_removal"))).scalar() == 0
    await read(engine, change(ONE, listed=False))
    assert await seen(engine, ("one", ONE)) == {}
    await read(engine, change(ONE, kind="opt_in", minute=6))
    assert await seen(engine, ("one", ONE)) == {("one", ONE): ["opt_in"]}


BRAZIL, MEXICO, ARGENTINA = (
    ("5582999448232", "558299448232"),
    ("525512345678", "5215512345678"),
    ("5491155551234", "541155551234"),
)
"""The key of a person, and the other spelling of the number."""


@pytest.mark.postgres
@pytest.mark.parametrize(("key", "other"), [BRAZIL, MEXICO, ARGENTINA])
async def test_a_list_has_a_person_whatever_the_spelling(engine: AsyncEngine, key: str, other: str) -> None:
    await read(engine, change(other), change(key, "two"))
    assert await seen(engine, ("one", key), ("two", other)) == {
        ("one", key): ["suppression"],
        ("two", key): ["suppression"],
    }
    await read(engine, change(key, minute=1, listed=False), change(other, "two", minute=1, listed=False))
    assert await seen(engine, ("one", key), ("two", key)) == {}
    await read(engine, change(other), change(key))  # older changes, read again
    assert await seen(engine, ("one", key)) == {}


@pytest.mark.postgres
async def test_the_newest_change_of_a_person_wins_in_one_batch(engine: AsyncEngine) -> None:
    key, other = BRAZIL
    await read(engine, change(key, minute=2), change(other, minute=1, listed=False), change(key, "two"))
    await read(engine, change(other, "two", minute=1, listed=False))
    assert await seen(engine, ("one", key), ("two", key)) == {("one", key): ["suppression"]}


@pytest.mark.postgres
async def test_versions_with_and_without_keys_share_the_table(engine: AsyncEngine) -> None:
    """During an upgrade, an instance of the previous version stores and finds a number as it was given."""
    (key, other), (mexican_key, mexican) = BRAZIL, MEXICO
    await read(engine, change(other))
    async with engine.begin() as connection:
        previous = await connection.execute(text("SELECT recipient FROM reader.consent ORDER BY recipient"))
        assert other in previous.scalars().all()
        await connection.execute(
            text(f"INSERT INTO reader.consent VALUES ('one', '{mexican}', 'suppression', '{NOON}')")
        )
    assert await seen(engine, ("one", key), ("one", mexican_key)) == {
        ("one", key): ["suppression"],
        ("one", mexican_key): ["suppression"],
    }
    await read(engine, change(mexican_key, minute=1, listed=False))
    assert await seen(engine, ("one", mexican_key)) == {}
