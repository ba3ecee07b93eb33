"""Retention of the router: a conversation goes when it is silent for long, but never while it binds."""

from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from router.testing import forgetting
from spreader.contract.configuration import Package

CONVERSATIONS = {
    "silent": {"customer_at": 400, "sent_at": 390, "begun_at": 1},
    "answered": {"customer_at": 400, "sent_at": 300, "begun_at": 400},
    "wrote": {"customer_at": 300, "sent_at": None, "begun_at": 400},
    "without a message": {"customer_at": None, "sent_at": None, "begun_at": 400},
    "begun": {"customer_at": None, "sent_at": None, "begun_at": 300},
}
"""For each recipient, how many days ago."""
INSERT = text("""
INSERT INTO router.conversation (package_id, recipient, profile_id, customer_at, sent_at, begun_at)
VALUES ('one', :recipient, 'p', now() - make_interval(days => :customer_at), now() - make_interval(days => :sent_at),
        now() - make_interval(days => :begun_at))""")
MOVES = text("""
INSERT INTO router.conversation_move (package_id, recipient, profile_id, at, cause)
SELECT 'one', 'silent', 'p', now() - make_interval(days => days), 'we wrote' FROM unnest(ARRAY[300, 400]) AS days""")


async def left(engine: AsyncEngine, *packages: Package) -> tuple[set[str], int]:
    async with engine.begin() as connection:
        for recipient, days in CONVERSATIONS.items():
            await connection.execute(INSERT, {"recipient": recipient, **days})
        await connection.execute(MOVES)
    await forgetting(engine, *packages, keep_conversations=timedelta(days=365)).delete_old(100)
    async with engine.connect() as connection:
        recipients = (await connection.execute(text("SELECT recipient FROM router.conversation"))).scalars()
        moves = await connection.execute(text("SELECT count(*) FROM router.conversation_move"))
        return set(recipients), moves.scalar_one()


async def test_a_conversation_is_deleted_when_its_last_message_is_old(engine: AsyncEngine) -> None:
    assert await left(engine) == ({"answered", "wrote", "begun"}, 1)


async def test_no_conversation_is_deleted_while_a_package_lets_it_bind(engine: AsyncEngine) -> None:
    package = Package(package_id="one", version=1, name="One", conversation_days=395)
    assert await left(engine, package) == ({"answered", "wrote", "begun", "silent"}, 1)
