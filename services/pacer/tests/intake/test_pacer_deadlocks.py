"""Deadlocks: statements that change the same rows of the pacer in another order wait for each other and all end."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import TextClause, event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from pacer.core.settlement import TRIED_FOR
from pacer.sql import contacts, intake
from pacer.sql.release import RELEASE_INSERT, NewRelease
from pacer.testing import START, Pacer, assigned
from spreader.contract.events import OpenDeliveriesAssigned
from spreader.phone.canonical import person_key
from spreader.runtime.rows import arrays

pytestmark = pytest.mark.postgres

RECIPIENTS = tuple(f"2011{number:08}" for number in range(3))
LATER = START + timedelta(seconds=1)
WAITING = text("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")


@pytest.fixture
def in_the_given_order(pacer: Pacer) -> None:
    """Postgres then looks rows up one by one, in the order in which a statement names them."""

    def choose_plans(connection: object, _: object) -> None:
        cursor = connection.cursor()  # pyright: ignore[reportAttributeAccessIssue]
        for plan in ("seqscan", "hashjoin", "mergejoin", "bitmapscan"):
            cursor.execute(f"SET enable_{plan} = off")
        connection.commit()  # pyright: ignore[reportAttributeAccessIssue]

    event.listen(pacer.engine.sync_engine, "connect", choose_plans)


async def together(engine: AsyncEngine, lock: str, first: Awaitable[object], second: Awaitable[object]) -> None:
    """Run both while the row in the middle is locked, so that each has locked the rows before it; then free it."""
    async with engine.connect() as watcher:
        async with engine.begin() as blocker:
            await blocker.execute(text(f"{lock} FOR UPDATE"))
            tasks = [asyncio.ensure_future(first), asyncio.ensure_future(second)]
            async with asyncio.timeout(30):
                while (await watcher.execute(WAITING)).scalar_one() < len(tasks):
                    await asyncio.sleep(0.01)
        await asyncio.gather(*tasks)


async def run(engine: AsyncEngine, statement: TextClause, params: dict[str, Any]) -> None:
    async with engine.begin() as connection:
        await connection.execute(statement, params)


async def release_to(engine: AsyncEngine, recipients: Sequence[str]) -> None:
    params = arrays(
        contacts.ContactRelease, [contacts.ContactRelease("p0", person_key(name), cold=True) for name in recipients]
    )
    await run(engine, contacts.CONTACT_RELEASED, {**params, "now": START})


def held_in(order: Sequence[str], attempt: int) -> OpenDeliveriesAssigned:
    """The same three deliveries in another order."""
    event = assigned(3, attempt=attempt)
    by_id = {delivery.delivery_id: delivery for delivery in event.deliveries}
    return event.model_copy(update={"deliveries": tuple(by_id[name] for name in order)})


def settle(engine: AsyncEngine, statement: TextClause, numbers: Sequence[int]) -> Awaitable[None]:
    keys = [contacts.ReleaseKey("p0", number) for number in numbers]
    return run(engine, statement, {**arrays(contacts.ReleaseKey, keys), "now": LATER})


@pytest.mark.usefixtures("in_the_given_order")
@pytest.mark.parametrize("writers", ["settle, release", "settle, message", "release, release", "settle, settle"])
async def test_two_statements_that_name_the_contacts_in_another_order_both_end(pacer: Pacer, writers: str) -> None:
    engine = pacer.engine
    await release_to(engine, RECIPIENTS)
    made = [
        NewRelease("p0", number, "one", f"dlv_{number}", person_key(recipient), cold=True)
        for number, recipient in enumerate(RECIPIENTS)
    ]
    await run(engine, RELEASE_INSERT, {**arrays(NewRelease, made), "now": START})
    forward, backward = (0, 1, 2), (2, 1, 0)
    wrote = [contacts.ContactMessage("p0", person_key(recipient), LATER) for recipient in RECIPIENTS]
    settling = partial(settle, engine, contacts.CONTACT_SETTLE)
    pairs: dict[str, tuple[Callable[[], Awaitable[None]], Callable[[], Awaitable[None]]]] = {
        "settle, release": (lambda: settling(backward), lambda: release_to(engine, RECIPIENTS)),
        "settle, message": (
            lambda: settling(backward),
            lambda: run(engine, contacts.CONTACT_WROTE, arrays(contacts.ContactMessage, wrote)),
        ),
        "release, release": (
            lambda: release_to(engine, RECIPIENTS),
            lambda: release_to(engine, RECIPIENTS[::-1]),
        ),
        "settle, settle": (lambda: settling(forward), lambda: settling(backward)),
    }
    first, second = pairs[writers]
    await together(engine, f"SELECT FROM pacer.contact WHERE recipient = '{RECIPIENTS[1]}'", first(), second())


@pytest.mark.usefixtures("in_the_given_order")
async def test_two_instances_that_settle_the_same_releases_both_end(pacer: Pacer) -> None:
    """After a rebalance, one of them settles records that the other has just read as well."""
    keys = [person_key(recipient) for recipient in RECIPIENTS]
    made = [NewRelease("p0", number, "one", f"dlv_{number}", key, cold=False) for number, key in enumerate(keys)]
    await run(pacer.engine, RELEASE_INSERT, {**arrays(NewRelease, made), "now": START})
    lock = "SELECT FROM pacer.release WHERE number = 1"
    first, second = (settle(pacer.engine, intake.RELEASE_SETTLE, numbers) for numbers in ((0, 1, 2), (2, 1, 0)))
    await together(pacer.engine, lock, first, second)


@pytest.mark.usefixtures("in_the_given_order")
async def test_two_instances_that_settle_the_same_deliveries_both_end(pacer: Pacer) -> None:
    await pacer.hold(assigned(3))
    async with pacer.engine.begin() as connection:
        await connection.execute(
            text("UPDATE pacer.delivery SET state = 'released', release = 1, first_released_at = :now"), {"now": START}
        )
    ids = sorted(delivery.delivery_id for delivery in assigned(3).deliveries)

    def settled(order: Sequence[str]) -> Awaitable[None]:
        rows = [intake.SettlementRow(name, 1, "settled", None, None, 1) for name in order]
        params = {**arrays(intake.SettlementRow, rows), "now": LATER, "tried_for": TRIED_FOR}
        return run(pacer.engine, intake.DELIVERY_SETTLE, params)

    lock = f"SELECT FROM pacer.delivery WHERE delivery_id = '{ids[1]}'"
    await together(pacer.engine, lock, settled(ids), settled(ids[::-1]))
    assert await pacer.states() == {"settled": 3}


@pytest.mark.usefixtures("in_the_given_order")
async def test_two_instances_that_hold_the_same_returned_deliveries_both_end(pacer: Pacer) -> None:
    """Red before: each locked the deliveries in the order of its batch."""
    await pacer.hold(assigned(3))
    async with pacer.engine.begin() as connection:
        await connection.execute(text("UPDATE pacer.delivery SET state = 'returned'"))
    ids = sorted(delivery.delivery_id for delivery in assigned(3).deliveries)
    lock = f"SELECT FROM pacer.delivery WHERE delivery_id = '{ids[1]}'"
    forward, backward = held_in(ids, 2), held_in(ids[::-1], 2)
    await together(pacer.engine, lock, pacer.hold(forward), pacer.hold(backward))
    assert await pacer.states() == {"held": 3}


async def test_two_instances_that_hold_the_same_new_messages_both_end(pacer: Pacer) -> None:
    """Red before: each stored the messages in the order of its batch, and waited for one of the other."""
    events = [assigned(1, f"msg_{number}") for number in range(3)]
    async with pacer.engine.connect() as watcher:
        async with pacer.engine.connect() as blocker, blocker.begin() as transaction:
            columns = "message_id, package_id, content, options, requested_at"
            await blocker.execute(
                text(f"INSERT INTO pacer.message ({columns}) VALUES ('msg_1', 'one', '{{}}', '{{}}', now())")
            )
            tasks = [asyncio.ensure_future(pacer.hold(*order)) for order in (events, events[::-1])]
            async with asyncio.timeout(30):
                while (await watcher.execute(WAITING)).scalar_one() < len(tasks):
                    await asyncio.sleep(0.01)
            await transaction.rollback()
        await asyncio.gather(*tasks)
    assert await pacer.states() == {"held": 3}


async def test_deliveries_of_a_batch_are_queued_in_its_order(pacer: Pacer) -> None:
    ids = sorted(delivery.delivery_id for delivery in assigned(3).deliveries)
    await pacer.hold(held_in([ids[1], ids[2], ids[0]], 1))
    async with pacer.engine.connect() as connection:
        queued = (await connection.execute(text("SELECT delivery_id FROM pacer.delivery ORDER BY seq"))).scalars()
        assert list(queued) == [ids[1], ids[2], ids[0]]
