"""Rehearsal of the status projection: the first reply finds its statements prepared."""

from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.core.delivery_updates import DeliveryUpdate
from ingress.core.status import progress
from ingress.sql.status import NewMessage
from ingress.status.projection import StatusProjection
from spreader.clock import wall_now
from spreader.testing import prepared_sql


async def test_the_first_reply_after_a_rehearsal_prepares_no_statement(engine: AsyncEngine) -> None:
    projection = StatusProjection(engine)
    await projection.rehearse()
    async with engine.connect() as connection:
        for table in ("message", "delivery"):
            assert (await connection.execute(text(f"SELECT count(*) FROM ingress.{table}"))).scalar_one() == 0
    now = wall_now()
    settled = DeliveryUpdate(
        "dlv_1", "msg_1", "pkg", "reply", "201000000001", "sent", progress("sent", 0, None), now + timedelta(seconds=1)
    )
    with prepared_sql() as prepared:
        await projection.fold_messages([NewMessage("msg_1", "pkg", "reply", "text", now, 1)])
        await projection.fold_deliveries([settled])
    assert prepared == []
    delivery = await projection.delivery("dlv_1")
    assert delivery is not None
    assert delivery.status == "sent"
