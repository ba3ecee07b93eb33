"""Migrations to one key for each person, on a real Postgres: the rows of two spellings become one, in every schema."""

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from spreader.runtime.migrations.runner import migrate
from spreader.runtime.postgres import create_engine
from spreader.settings import Settings

pytestmark = pytest.mark.postgres

KEY, OTHER = "5582999448232", "558299448232"
MEXICAN, MEXICAN_OTHER = "525512345678", "5215512345678"
MONA = "201000000011"
BEFORE = {
    "ingress": ("0022", ["ALTER TABLE ingress.consent DROP COLUMN given"]),
    "router": ("0014", []),
    "pacer": ("0018", ["ALTER TABLE pacer.delivery DROP COLUMN given"]),
    "stats": ("0011", []),
}
"""Of each service, the last migration before the key, and how its schema is brought back to that."""

ROWS = {
    "ingress": f"""
INSERT INTO ingress.consent (package_id, kind, recipient, listed, since, source, announced) VALUES
    ('one', 'suppression', '{OTHER}', true, '2026-01-01', 'opt_out_word', true),
    ('one', 'suppression', '{KEY}', false, '2026-01-02', 'api', true),
    ('one', 'opt_in', '{MEXICAN_OTHER}', true, '2026-01-02', 'csv', true),
    ('one', 'opt_in', '{MEXICAN}', false, '2026-01-01', 'api', true),
    ('one', 'suppression', '{MONA}', true, '2026-01-01', 'api', true)""",
    "router": f"""
INSERT INTO router.conversation (package_id, recipient, profile_id, customer_at, sent_at, substitute) VALUES
    ('one', '{OTHER}', 'newest', '2026-01-02', NULL, 'stand-in'),
    ('one', '{KEY}', 'older', '2026-01-01', '2026-01-01', NULL),
    ('two', '{OTHER}', 'older', NULL, '2026-01-01', NULL),
    ('two', '{KEY}', 'newest', NULL, '2026-01-02', NULL),
    ('one', '{MEXICAN_OTHER}', 'only', '2026-01-01', NULL, NULL),
    ('one', '{MONA}', 'only', '2026-01-01', NULL, NULL);
INSERT INTO router.conversation_move (package_id, recipient, profile_id, at, cause) VALUES
    ('one', '{OTHER}', 'newest', '2026-01-02', 'the customer wrote'),
    ('one', '{KEY}', 'older', '2026-01-01', 'we wrote')""",
    "pacer": f"""
INSERT INTO pacer.contact (profile_id, recipient, opened_at, last_release, wrote_at, unanswered) VALUES
    ('p', '{KEY}', '2026-01-01', '2026-01-01', NULL, true),
    ('p', '{OTHER}', NULL, NULL, '2026-01-02', false),
    ('p', '{MEXICAN}', '2026-01-03', '2026-01-03', NULL, true),
    ('p', '{MEXICAN_OTHER}', NULL, NULL, '2026-01-02', false),
    ('q', '{OTHER}', NULL, NULL, '2026-01-02', false);
INSERT INTO pacer.habit (package_id, recipient, hour, readings) VALUES
    ('one', '{KEY}', 9, 2), ('one', '{OTHER}', 9, 3), ('one', '{OTHER}', 10, 1), ('one', '', 9, 5);
INSERT INTO pacer.release (profile_id, number, package_id, delivery_id, recipient, released_at) VALUES
    ('p', 1, 'one', 'd1', '{KEY}', now()), ('p', 2, 'one', 'd2', '{OTHER}', now());
INSERT INTO pacer.delivery (delivery_id, message_id, package_id, profile_id, recipient, index, attempt, tried, rank,
                            not_before, asked_at, state) VALUES
    ('d1', 'm', 'one', 'p', '{KEY}', 0, 1, '{{}}', 0, now(), now(), 'held'),
    ('d2', 'm', 'one', 'p', '{OTHER}', 1, 1, '{{}}', 0, now(), now(), 'held'),
    ('d3', 'm', 'one', 'p', '{OTHER}', 2, 1, '{{}}', 0, now(), now(), 'settled')""",
    "stats": f"""
INSERT INTO stats.contact (profile_id, recipient, spoke_at, wrote_first_at, wrote_at, asked_at, asked_by, opened_at,
                           receives) VALUES
    ('p', '{KEY}', '2026-01-03', NULL, NULL, '2026-01-03', 'm', '2026-01-03', true),
    ('p', '{OTHER}', NULL, '2026-01-01', '2026-01-02', NULL, NULL, NULL, false)""",
}
AFTER = {
    "SELECT kind, recipient, given, listed, since::date::text, announced FROM ingress.consent ORDER BY 1, 2": [
        ("opt_in", MEXICAN, MEXICAN_OTHER, True, "2026-01-02", False),
        ("suppression", MONA, None, True, "2026-01-01", True),
        ("suppression", KEY, OTHER, True, "2026-01-02", False),
    ],
    """SELECT package_id, recipient, profile_id, substitute, sent_at IS NULL
       FROM router.conversation ORDER BY 1, 2""": [
        ("one", MONA, "only", None, True),
        ("one", MEXICAN, "only", None, True),
        ("one", KEY, "newest", "stand-in", True),
        ("two", KEY, "newest", None, False),
    ],
    "SELECT recipient, profile_id FROM router.conversation_move ORDER BY at": [(KEY, "older"), (KEY, "newest")],
    "SELECT profile_id, recipient, unanswered, wrote_at IS NOT NULL FROM pacer.contact ORDER BY 1, 2": [
        ("p", MEXICAN, True, True),
        ("p", KEY, False, True),
        ("q", KEY, False, True),
    ],
    "SELECT recipient, hour, readings FROM pacer.habit ORDER BY 1, 2": [("", 9, 5), (KEY, 9, 5), (KEY, 10, 1)],
    "SELECT recipient FROM pacer.release": [(KEY,), (KEY,)],
    "SELECT delivery_id, recipient, given FROM pacer.delivery ORDER BY 1": [
        ("d1", KEY, None),
        ("d2", KEY, OTHER),
        ("d3", OTHER, None),
    ],
    """SELECT recipient, spoke_at::date::text, wrote_at::date::text, asked_by, receives FROM stats.contact""": [
        (KEY, "2026-01-03", "2026-01-02", "m", True)
    ],
}


async def run(connection: AsyncConnection, script: str) -> None:
    for statement in script.split(";"):
        await connection.execute(text(statement))


async def bring_back(engine: AsyncEngine, service: str) -> None:
    """The schema of the version before the key, with rows of both spellings."""
    revision, undo = BEFORE[service]
    async with engine.begin() as connection:
        for statement in undo:
            await connection.execute(text(statement))
        tables = await connection.execute(
            text(f"SELECT indexname FROM pg_indexes WHERE schemaname = '{service}' AND indexname LIKE '%_spelling'")
        )
        for index in tables.scalars().all():
            await connection.execute(text(f"DROP INDEX {service}.{index}"))
        await run(connection, ROWS[service])
        await connection.execute(text(f"UPDATE {service}.migration SET version_num = '{revision}'"))


async def test_the_rows_of_one_person_are_merged_in_every_schema(database_url: str) -> None:
    settings = Settings(database_url=database_url)
    for service in BEFORE:
        engine = create_engine(settings, service)
        await migrate(engine, service)
        await bring_back(engine, service)
        await migrate(engine, service)
        await engine.dispose()
    engine = create_engine(settings, "test")
    async with engine.connect() as connection:
        for question, expected in AFTER.items():
            assert [tuple(row) for row in await connection.execute(text(question))] == expected, question
    await engine.dispose()
