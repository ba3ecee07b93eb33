"""Books: what stands too long is counted where it stands, and what has an end is not."""

from collections.abc import Sequence
from datetime import timedelta

from prometheus_client import REGISTRY
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.core.delivery_updates import DeliveryUpdate
from ingress.core.status import progress
from ingress.infra import outbox
from ingress.sql.status import AcceptedMessage
from ingress.status.projection import StatusProjection
from ingress.status.reconciliation import EVERY_SECONDS, UNCHANGED_FOR, Reconciliation
from spreader.clock import Clock, wall_now
from spreader.contract.events import Lane, Status
from spreader.kafka.envelope import Envelope

LONG = UNCHANGED_FOR + timedelta(minutes=1)


def fact(number: int, lane: Lane, status: Status, ago: timedelta, message: str = "msg_1") -> DeliveryUpdate:
    return DeliveryUpdate(
        f"dlv_{message}_{number}", message, "pkg", lane, f"2010{number:08}", status, progress(status, 0, None),
        wall_now() - ago,
    )  # fmt: skip


def message(message_id: str, recipients: int, ago: timedelta) -> AcceptedMessage:
    return AcceptedMessage(message_id, "pkg", "open", "text", wall_now() - ago, recipients)


def shown() -> Sequence[float | None]:
    """With the router, the pacer and the sender."""
    return [
        REGISTRY.get_sample_value("spreader_unsettled_deliveries", {"service": service})
        for service in ("router", "pacer", "sender")
    ]


async def test_deliveries_are_counted_where_they_stand_once_they_stand_there_for_long(engine: AsyncEngine) -> None:
    view, books = StatusProjection(engine), Reconciliation(engine, Clock())
    now = timedelta(0)
    await view.fold_messages([message("msg_1", 7, LONG)])
    await view.fold_deliveries(
        [
            fact(1, "open", "held", LONG), fact(2, "open", "held", LONG), fact(3, "open", "held", now),
            fact(4, "open", "released", LONG), fact(5, "reply", "held", LONG), fact(6, "open", "released", now),
            fact(7, "open", "sent", LONG),
        ]
    )  # fmt: skip
    assert await books.count_unfinished() == EVERY_SECONDS
    assert shown() == [0, 2, 2]


async def test_a_recipient_whom_nobody_took_is_missed_until_somebody_does(engine: AsyncEngine) -> None:
    view, books = StatusProjection(engine), Reconciliation(engine, Clock())
    await view.fold_messages([message("msg_old", 3, LONG), message("msg_young", 5, timedelta(0))])
    await view.fold_deliveries([fact(1, "open", "sent", LONG, "msg_old")])
    await books.count_unfinished()
    assert shown() == [2, 0, 0]
    await books.count_unfinished()
    assert shown() == [2, 0, 0]
    await view.fold_deliveries([fact(2, "open", "rejected", LONG, "msg_old"), fact(3, "open", "sent", LONG, "msg_old")])
    await books.count_unfinished()
    assert shown() == [0, 0, 0]


async def test_the_outbox_shows_how_much_waits_and_since_when(engine: AsyncEngine) -> None:
    books = Reconciliation(engine, Clock())
    await books.measure_outbox()
    assert REGISTRY.get_sample_value("spreader_outbox_oldest_seconds") == 0
    async with engine.begin() as connection:
        await outbox.put(connection, [Envelope("t", b"k", b"1", {}), Envelope("t", b"k", b"2", {})])
        await connection.execute(text("UPDATE ingress.outbox SET put_at = put_at - interval '1 minute'"))
    await books.measure_outbox()
    assert REGISTRY.get_sample_value("spreader_outbox_waiting_records") == 2
    assert 60 <= (REGISTRY.get_sample_value("spreader_outbox_oldest_seconds") or 0) < 120
