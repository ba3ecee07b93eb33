"""Reconciliation: deliveries without progress are counted by service, finished ones are not."""

from collections.abc import Sequence
from datetime import timedelta

from prometheus_client import REGISTRY
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.core.delivery_updates import DeliveryUpdate
from ingress.core.status import progress
from ingress.infra import outbox
from ingress.sql.status import NewMessage
from ingress.status.projection import StatusProjection
from ingress.status.reconciliation import EVERY_SECONDS, UNCHANGED_FOR, Reconciliation
from spreader.clock import Clock, wall_now
from spreader.contract.events import Lane, Status
from spreader.kafka.envelope import Envelope

LONG = UNCHANGED_FOR + timedelta(minutes=1)


def update(number: int, lane: Lane, status: Status, ago: timedelta, message: str = "msg_1") -> DeliveryUpdate:
    return DeliveryUpdate(
        f"dlv_{message}_{number}", message, "pkg", lane, f"2010{number:08}", status, progress(status, 0, None),
        wall_now() - ago,
    )  # fmt: skip


def message(message_id: str, recipients: int, ago: timedelta) -> NewMessage:
    return NewMessage(message_id, "pkg", "open", "text", wall_now() - ago, recipients)


def shown() -> Sequence[float | None]:
    """The counts of the router, the pacer and the sender."""
    return [
        REGISTRY.get_sample_value("spreader_unsettled_deliveries", {"service": service})
        for service in ("router", "pacer", "sender")
    ]


async def test_deliveries_without_progress_are_counted_by_service(engine: AsyncEngine) -> None:
    projection, reconciliation = StatusProjection(engine), Reconciliation(engine, Clock())
    now = timedelta(0)
    await projection.fold_messages([message("msg_1", 7, LONG)])
    await projection.fold_deliveries(
        [
            update(1, "open", "held", LONG), update(2, "open", "held", LONG), update(3, "open", "held", now),
            update(4, "open", "released", LONG), update(5, "reply", "held", LONG), update(6, "open", "released", now),
            update(7, "open", "sent", LONG),
        ]
    )  # fmt: skip
    assert await reconciliation.count_unfinished() == EVERY_SECONDS
    assert shown() == [0, 2, 2]


async def test_an_unassigned_recipient_is_counted_until_it_is_assigned(engine: AsyncEngine) -> None:
    projection, reconciliation = StatusProjection(engine), Reconciliation(engine, Clock())
    await projection.fold_messages([message("msg_old", 3, LONG), message("msg_young", 5, timedelta(0))])
    await projection.fold_deliveries([update(1, "open", "sent", LONG, "msg_old")])
    await reconciliation.count_unfinished()
    assert shown() == [2, 0, 0]
    await reconciliation.count_unfinished()
    assert shown() == [2, 0, 0]
    await projection.fold_deliveries(
        [update(2, "open", "rejected", LONG, "msg_old"), update(3, "open", "sent", LONG, "msg_old")]
    )
    await reconciliation.count_unfinished()
    assert shown() == [0, 0, 0]


async def test_the_backlog_and_age_of_the_outbox_are_measured(engine: AsyncEngine) -> None:
    reconciliation = Reconciliation(engine, Clock())
    await reconciliation.measure_outbox()
    assert REGISTRY.get_sample_value("spreader_outbox_oldest_seconds") == 0
    async with engine.begin() as connection:
        await outbox.put(connection, [Envelope("t", b"k", b"1", {}), Envelope("t", b"k", b"2", {})])
        await connection.execute(text("UPDATE ingress.outbox SET put_at = put_at - interval '1 minute'"))
    await reconciliation.measure_outbox()
    assert REGISTRY.get_sample_value("spreader_outbox_waiting_records") == 2
    assert 60 <= (REGISTRY.get_sample_value("spreader_outbox_oldest_seconds") or 0) < 120
