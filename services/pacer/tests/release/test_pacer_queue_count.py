"""Queue count: held deliveries are counted in pieces, and each piece reads only its part of the index."""

from datetime import timedelta
from typing import Any

from prometheus_client import REGISTRY
from sqlalchemy import text

from pacer.release.queue_count import EVERY_SECONDS, QueueCounter
from pacer.sql import maintenance as sql
from pacer.testing import START, Pacer, assigned, package, waiting
from spreader.contract.events import OpenOptions

ROWS = 3_000


def gauges() -> list[float | None]:
    return [REGISTRY.get_sample_value(f"spreader_{name}_deliveries") for name in ("held", "due", "waiting")]


async def test_a_queue_is_counted_in_pieces_and_shown_when_all_of_it_is_counted(pacer: Pacer) -> None:
    pacer.configure(package(profiles=3).model_copy(update={"paused": True}))
    later = OpenOptions(waiting_strategy="scheduled", schedule_at=START + timedelta(days=1))
    await pacer.hold(assigned(7, profiles=3), assigned(4, "msg_2", 3, options=later), waiting(2, "msg_3"))
    whole, pieces = QueueCounter(pacer.engine, pacer.clock), QueueCounter(pacer.engine, pacer.clock, piece_rows_max=3)
    await whole.count()
    assert gauges() == [13, 9, 2]
    await pacer.hold(assigned(2, "msg_4"))
    assert [await pieces.count() < EVERY_SECONDS for _ in range(5)] == [True] * 5
    assert gauges() == [13, 9, 2]
    await pieces.count()
    assert gauges() == [15, 11, 2]


async def test_a_piece_reads_no_more_rows_than_it_counts(pacer: Pacer) -> None:
    """Red before: each count read all held deliveries in one statement."""
    insert = text("""
INSERT INTO pacer.delivery (delivery_id, message_id, package_id, profile_id, recipient, index, attempt, tried, rank,
                            not_before, asked_at)
SELECT 'd' || n, 'm', 'one', 'p' || n % 20, 'r' || n, n, 1, '{}', 0, now(), now()
FROM generate_series(1, :rows) AS n""")
    place = sql.QueuePlace("p12")
    params: dict[str, Any] = {
        "profile_id": place.profile_id, "rank": 0, "cold": False, "not_before": place.not_before, "seq": 0,
        "now": START, "waiting": "~", "rows": 200,
    }  # fmt: skip
    async with pacer.engine.begin() as connection:
        await connection.execute(insert, {"rows": ROWS})
        await connection.execute(sql.IN_QUEUE_ORDER)
        explain = text(f"EXPLAIN (ANALYZE, BUFFERS) {sql.QUEUE_COUNT.text}")
        plan = "\n".join((await connection.execute(explain, params)).scalars())
    assert "Index Cond: (ROW(profile_id, rank, cold, not_before, seq) > ROW(" in plan, plan
    assert "rows=200.00 " in plan, plan
    assert "Seq Scan on delivery" not in plan
    assert "Removed by Filter" not in plan
