"""Stopper, on a real Postgres: cancellations and changes of consent work in pieces and hold up nothing else."""

import asyncio
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from pacer.intake.consent_enforcer import ConsentEnforcer
from pacer.intake.held_queue import HeldQueue
from pacer.intake.read_times import ReadTimes
from pacer.intake.stopper import LOCKED_SECONDS, PIECE_ROWS, Stopper
from pacer.release.outbox_relay import ROWS_MAX, QueueOutboxRelay
from pacer.testing import START, Pacer, assigned, assigned_in_parts, package, received
from spreader.contract.events import (
    ConsentChanged,
    ConsentKind,
    DeliveryOutcome,
    DeliveryReleased,
    MessageCancelled,
    OpenDeliveriesAssigned,
)
from spreader.testing import FakeProgress, NoDeduplication

pytestmark = pytest.mark.postgres

MANY = 20_000


@contextmanager
def written_rows(engine: AsyncEngine) -> Generator[list[int]]:
    """The number of deliveries that each statement writes."""
    rows: list[int] = []

    def on_executed(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if "UPDATE pacer.delivery" in statement:
            rows.append(cursor.rowcount)

    event.listen(engine.sync_engine, "after_cursor_execute", on_executed)
    try:
        yield rows
    finally:
        event.remove(engine.sync_engine, "after_cursor_execute", on_executed)


@contextmanager
def failing(engine: AsyncEngine, part: str) -> Generator[None]:
    """Statements that contain `part` fail, as in a crash before the commit."""

    def on_statement(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if part in statement:
            raise ConnectionError("the process dies here")

    event.listen(engine.sync_engine, "before_cursor_execute", on_statement)
    try:
        yield
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", on_statement)


def of_another_package(event: OpenDeliveriesAssigned) -> OpenDeliveriesAssigned:
    return event.model_copy(update={"package_id": "another"})


def configure_another(pacer: Pacer) -> None:
    (profile,) = package().profiles
    profiles = (profile.model_copy(update={"profile_id": "other"}),)
    pacer.configure(package().model_copy(update={"package_id": "another", "profiles": profiles}))


async def store_cancellation(pacer: Pacer, message_id: str = "msg_1") -> None:
    """The consumer's part of a cancellation, without the pieces."""
    cancelled = MessageCancelled(package_id="one", message_id=message_id, at=START)
    await HeldQueue(pacer.engine, pacer.clock, ReadTimes(pacer.config)).cancel(NoDeduplication(), received(cancelled))


async def store_consent(
    pacer: Pacer, recipients: Sequence[str], kind: ConsentKind = "suppression", listed: bool = True
) -> None:
    """The consumer's part of changes of consent, without the pieces."""
    changes = [
        ConsentChanged(package_id="one", recipient=recipient, kind=kind, listed=listed, source="api", at=START)
        for recipient in recipients
    ]
    await enforcer(pacer).apply(NoDeduplication(), received(*changes))


def enforcer(pacer: Pacer) -> ConsentEnforcer:
    return ConsentEnforcer(pacer.engine, pacer.config, FakeProgress(0), lambda: None)


def stopper(pacer: Pacer) -> Stopper:
    return Stopper(pacer.engine, lambda: None)


async def advisory_locks(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        result = await connection.execute(
            text("SELECT count(*) FROM pg_locks JOIN pg_database ON oid = database WHERE locktype = 'advisory'")
        )
        return result.scalar_one()


async def test_another_package_releases_between_two_pieces_of_a_large_cancellation(pacer: Pacer) -> None:
    """Fails if a piece has more than 500 rows, if it keeps the intake lock, or if the cancelled deliveries are
    published before the release."""
    configure_another(pacer)
    await pacer.hold(*assigned_in_parts(MANY))
    with written_rows(pacer.engine) as rows:
        await store_cancellation(pacer)
        assert rows == []
        assert await stopper(pacer).end_piece() == 0
        assert await stopper(pacer).end_piece() == 0
        assert await advisory_locks(pacer.engine) == 0
        assert await pacer.hold(of_another_package(assigned(1, "msg_2", profile="other"))) == 1
        assert await pacer.states() == {"held": MANY - 2 * PIECE_ROWS + 1, "cancelled": 2 * PIECE_ROWS}
        await pacer.release_loop.run_pass()
        await QueueOutboxRelay(pacer.engine, pacer.bus, pacer.bus, pacer.clock).relay()
        assert isinstance(pacer.bus.published[0], DeliveryReleased)
        assert pacer.bus.published[0].package_id == "another"
        await pacer.end_stopped()
        await pacer.relay()
    assert max(rows) == PIECE_ROWS == ROWS_MAX == 500
    cancelled = [each.delivery_id for each in pacer.bus.of(DeliveryOutcome)]
    assert (len(cancelled), len(set(cancelled))) == (MANY, MANY)


async def test_a_piece_that_dies_is_done_again_by_another_process(pacer: Pacer) -> None:
    await pacer.hold(*assigned_in_parts(1_200))
    await store_cancellation(pacer)
    assert await stopper(pacer).end_piece() == 0
    with failing(pacer.engine, "UPDATE pacer.cancellation"), pytest.raises(ConnectionError):
        await stopper(pacer).end_piece()
    assert await pacer.states() == {"held": 700, "cancelled": 500}
    await pacer.end_stopped()
    assert await pacer.states() == {"cancelled": 1_200}


async def test_two_processes_share_the_pieces(pacer: Pacer) -> None:
    for number in range(60):
        await pacer.hold(assigned(30, f"msg_{number}"))
        await store_cancellation(pacer, f"msg_{number}")
    others = [Pacer(pacer.engine, pacer.config, pacer.bus) for _ in range(3)]
    await asyncio.gather(*(other.end_stopped() for other in others))
    await pacer.end_stopped()
    assert await pacer.states() == {"cancelled": 1_800}


async def test_a_cancelled_delivery_is_not_released_before_its_piece(pacer: Pacer) -> None:
    """Fails if a release pass trusts that everything stored as cancelled has ended."""
    await pacer.hold(assigned(3), assigned(1, "msg_2"))
    await store_cancellation(pacer)
    assert [each.message_id for each in await pacer.release()] == ["msg_2"]
    assert await pacer.states() == {"cancelled": 3, "released": 1}


async def test_a_suppressed_recipient_gets_nothing_before_its_piece(pacer: Pacer) -> None:
    await pacer.hold(assigned(2))
    await store_consent(pacer, [assigned(1).deliveries[0].recipient])
    assert [each.index for each in await pacer.release()] == [1]


async def test_a_cancelled_delivery_that_its_gateway_deferred_is_not_released_again(pacer: Pacer) -> None:
    """Fails if a cancellation ends only the deliveries that are held when it arrives."""
    await pacer.hold(assigned(1))
    released = await pacer.release()
    await pacer.cancel("msg_1")
    await pacer.report("deferred", *released, not_before=START)
    pacer.now += timedelta(hours=1)
    assert await pacer.release() == []
    assert await pacer.states() == {"cancelled": 1}
    assert [each.status for each in pacer.bus.of(DeliveryOutcome)] == ["cancelled"]


async def test_a_mass_suppression_works_in_pieces(pacer: Pacer) -> None:
    recipients = [each.recipient for each in assigned(12).deliveries]
    await pacer.hold(*(assigned(12, f"msg_{number}") for number in range(100)))
    with written_rows(pacer.engine) as rows:
        await store_consent(pacer, recipients[:11])
        assert rows == []
        await pacer.end_stopped()
    assert (max(rows), sum(rows)) == (500, 1_100)
    assert await pacer.states() == {"held": 100, "suppressed": 1_100}


async def test_a_suppression_that_is_lifted_before_its_piece_ends_nothing(pacer: Pacer) -> None:
    await pacer.hold(assigned(2))
    recipients = [each.recipient for each in assigned(2).deliveries]
    await store_consent(pacer, recipients)
    await store_consent(pacer, recipients[:1], listed=False)
    await pacer.end_stopped()
    assert await pacer.states() == {"held": 1, "suppressed": 1}


async def test_required_opt_ins_are_checked_in_pieces(pacer: Pacer) -> None:
    """Another package's deliveries are examined and left alone. An intake goes on between two pieces."""
    configure_another(pacer)
    await pacer.hold(*assigned_in_parts(1_700))
    await pacer.hold(of_another_package(assigned(5, "msg_2", profile="other")))
    opted_in = [each.recipient for part in assigned_in_parts(1_700) for each in part.deliveries[::2]]
    await store_consent(pacer, opted_in, kind="opt_in")
    pacer.config.configure(package().model_copy(update={"opted_in_only": True}))
    enforcing = enforcer(pacer)
    enforcing.on_configured("one")
    with written_rows(pacer.engine) as rows:
        assert await enforcing.enforce() == 0
        assert await advisory_locks(pacer.engine) == 0
        while await enforcing.enforce() == 0:
            pass
    assert (max(rows) <= 500, sum(rows)) == (True, 850)
    assert await pacer.states() == {"held": 855, "suppressed": 850}


@pytest.mark.parametrize("stop", ["cancellation", "suppression", "opt-in"])
async def test_a_locked_delivery_is_ended_when_its_lock_is_gone(pacer: Pacer, stop: str) -> None:
    """Fails if a piece waits for the lock, which may deadlock, or counts the delivery as done."""
    await pacer.hold(assigned(3))
    one, _, _ = assigned(3).deliveries
    enforcing = enforcer(pacer)
    if stop == "cancellation":
        await store_cancellation(pacer)
    elif stop == "suppression":
        await store_consent(pacer, [each.recipient for each in assigned(3).deliveries])
    else:
        pacer.config.configure(package().model_copy(update={"opted_in_only": True}))
        enforcing.on_configured("one")
    step = enforcing.enforce if stop == "opt-in" else stopper(pacer).end_piece
    lock = text("SELECT 1 FROM pacer.delivery WHERE delivery_id = :delivery_id FOR UPDATE")
    async with pacer.engine.begin() as holder:
        await holder.execute(lock, {"delivery_id": one.delivery_id})
        pauses = [await step() for _ in range(3)]
        assert pauses[-1] == LOCKED_SECONDS
        assert (await pacer.states())["held"] == 1
    assert await step() == 0
    assert "held" not in await pacer.states()


async def test_a_release_of_a_delivery_is_not_delayed_by_ends_that_are_not_published(pacer: Pacer) -> None:
    """Fails if the relay publishes in the order of arrival: the release would be the 1,201st event."""
    configure_another(pacer)
    await pacer.hold(*assigned_in_parts(1_200))
    await pacer.hold(of_another_package(assigned(1, "msg_2", profile="other")))
    await pacer.cancel("msg_1")
    await pacer.release()
    first, *_ = pacer.bus.published
    assert isinstance(first, DeliveryReleased)
