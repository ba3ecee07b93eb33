"""Ten million deliveries: lists and pages stay quick while old messages are deleted beside them."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.sql import retention as ingress_sql
from ingress.status.message_retention import MessageRetention
from ingress.testing import running
from spreader.clock import wall_now
from spreader.runtime.migrations.runner import migrate
from spreader.runtime.postgres import create_engine
from spreader.runtime.retention import ROWS_MAX, TAKE_TURN, DeleteBatch, Retention, deletion_of, retention_loop
from spreader.settings import Settings
from stats.counting.retention import old_rows
from stats.testing import StatsHarness, package, profile

pytestmark = pytest.mark.recorded

KEEP_DAYS, DAYS = 180, 300
LARGE, RECIPIENTS, SMALL = 900, 10_000, 1_000_000
TIMES = 15
DELETED_MIN = 300_000
"""The measurement goes on until the retention has deleted this number of deliveries."""
LIST_MS_MAX, STEP_SECONDS_MAX = 300.0, 5.0

MESSAGES = f"""
INSERT INTO ingress.message (message_id, package_id, lane, kind, recipients, accepted_at)
SELECT 'msg_' || n, 'pkg', CASE WHEN n < {LARGE} THEN 'open' ELSE 'reply' END, 'text',
       CASE WHEN n < {LARGE} THEN {RECIPIENTS} ELSE 1 END,
       now() - CASE WHEN n < {LARGE} THEN n * interval '{DAYS} days' / {LARGE}
                    ELSE (n - {LARGE}) * interval '{DAYS} days' / {SMALL} END
FROM generate_series($1::int, $2::int - 1) AS n"""
DELIVERIES = """
INSERT INTO ingress.delivery (delivery_id, message_id, package_id, lane, recipient, status, stage, attempt, turn, at,
                              profile_id, index, gateway_message_id, sent_at)
SELECT 'dlv_' || message_id || '_' || r, message_id, package_id, lane, '2010' || lpad(r::text, 8, '0'),
       (ARRAY['sent', 'delivered', 'read', 'failed'])[1 + r % 4], 2 + r % 4, 1, 1, accepted_at + interval '1 hour',
       'p' || r % 20, r, 'wamid.' || message_id || '.' || r, accepted_at + interval '1 hour'
FROM ingress.message, generate_series(0, recipients - 1) AS r WHERE message_id = ANY ($1)"""
STATS = (
    """
INSERT INTO stats.message (message_id, profile_id, lane, package_id, first_at, last_at, sent, delivered, read)
SELECT message_id, 'p' || p, lane, package_id, accepted_at, accepted_at + interval '1 day', 500, 400, 300
FROM ingress.message, generate_series(0, CASE lane WHEN 'open' THEN 19 ELSE 0 END) AS p""",
    """
INSERT INTO stats.hour (profile_id, at, lane, package_id, sent, delivered, read)
SELECT 'p' || p, date_trunc('hour', now()) - h * interval '1 hour', 'open', 'pkg', 20, 18, 12
FROM generate_series(0, 19) AS p, generate_series(0, 24 * 365) AS h""",
    """
INSERT INTO stats.minute (profile_id, at, lane, package_id, sent, delivered, read, failed, received)
SELECT 'p' || p, date_trunc('minute', now()) - m * interval '1 minute', 'open', 'pkg', 1, 1, 1, 0, 0
FROM generate_series(0, 19) AS p, generate_series(0, 60 * 24 * 16) AS m""",
    """
INSERT INTO stats.package_hour (package_id, at, lane, sent, delivered, read)
SELECT 'pkg', date_trunc('hour', now()) - h * interval '1 hour', 'open', 400, 360, 240
FROM generate_series(0, 24 * 365) AS h""",
    """
INSERT INTO stats.alert (alert_id, profile_id, package_id, kind, severity, evidence, raised_at, cleared_at, changed_at,
                         told)
SELECT 'alr_' || lpad(n::text, 9, '0'), 'p' || n % 20 || '_' || n, 'pkg', 'blocked', 'critical', 'because', at,
       CASE WHEN n % 1000 > 0 THEN at END, at, CASE WHEN n % 1000 > 0 THEN 'cleared' ELSE 'raised' END
FROM (SELECT n, now() - (1000000 - n) * interval '30 s' AS at FROM generate_series(1, 1000000) AS n) AS numbered""",
    """
INSERT INTO stats.delivery (delivery_id, marks, noted_at)
SELECT 'dlv_' || n, 3, now() - n * interval '40 days' / 2000000 FROM generate_series(1, 2000000) AS n""",
)
INDEXES = """
SELECT schemaname || '.' || indexname AS name, indexdef FROM pg_indexes
WHERE schemaname || '.' || tablename = $1 AND indexname NOT IN (
    SELECT conname FROM pg_constraint WHERE contype IN ('p', 'u'))"""


@asynccontextmanager
async def without_indexes(connection: Any, table: str) -> AsyncGenerator[None]:
    """The indexes are built after the rows are inserted, which takes a third of the time."""
    indexes = await connection.fetch(INDEXES, table)
    for index in indexes:
        await connection.execute(f"DROP INDEX {index['name']}")
    yield
    for index in indexes:
        await connection.execute(index["indexdef"])
    await connection.execute(f"VACUUM ANALYZE {table}")


async def generate(url: str) -> int:
    """Fill the tables. Returns the number of deliveries."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        await connection.execute("SET maintenance_work_mem = '512MB'")
        async with without_indexes(connection, "ingress.message"):
            await connection.execute(MESSAGES, 0, LARGE + SMALL)
        async with without_indexes(connection, "ingress.delivery"):
            for first, end, step in ((0, LARGE, 100), (LARGE, LARGE + SMALL, 100_000)):
                for start in range(first, end, step):
                    message_ids = [f"msg_{n}" for n in range(start, min(start + step, end))]
                    await connection.execute(DELIVERIES, message_ids)
        for statement in STATS:
            await connection.execute(statement)
        await connection.execute("VACUUM ANALYZE ingress.message_count")
        for table in ("message", "hour", "minute", "package_hour", "alert", "delivery"):
            await connection.execute(f"VACUUM ANALYZE stats.{table}")
        return await connection.fetchval("SELECT count(*) FROM ingress.delivery")
    finally:
        await connection.close()


@dataclass
class Steps:
    """The retention of one service, with the time of each step."""

    delete: DeleteBatch
    seconds: list[float] = field(default_factory=list[float])

    async def delete_old(self, rows_max: int) -> int:
        began = time.perf_counter()
        deleted = await self.delete(rows_max)
        self.seconds.append(time.perf_counter() - began)
        return deleted


async def slowest(get: Callable[[], Awaitable[httpx.Response]]) -> tuple[float, float]:
    """Median and maximum of `TIMES` requests, in milliseconds."""
    took: list[float] = []
    for _ in range(TIMES):
        began = time.perf_counter()
        response = await get()
        took.append((time.perf_counter() - began) * 1e3)
        assert response.status_code == 200, response.text
    return round(sorted(took)[TIMES // 2], 1), round(max(took), 1)


async def measured(http: httpx.AsyncClient, paths: Mapping[str, str]) -> dict[str, dict[str, float]]:
    """Each list: its first page, and the page after it if there is one."""
    found: dict[str, dict[str, float]] = {}
    for name, path in paths.items():
        median, longest = await slowest(lambda path=path: http.get(path))
        found[name] = {"median_ms": median, "max_ms": longest}
        cursor = (await http.get(path)).json().get("next_cursor")
        if cursor:
            params = {**httpx.URL(path).params, "cursor": cursor}
            median, longest = await slowest(lambda path=path, params=params: http.get(path, params=params))
            found[f"{name}, second page"] = {"median_ms": median, "max_ms": longest}
    return found


INGRESS = {
    "messages": "/packages/pkg/messages?limit=50",
    "messages of the open lane": "/packages/pkg/messages?limit=50&lane=open",
    "messages of the reply lane": "/packages/pkg/messages?limit=50&lane=reply",
    "message of 10,000": "/messages/msg_1",
    "deliveries of a message": "/messages/msg_1/deliveries?limit=100",
    "delivery": "/deliveries/dlv_msg_1_77",
    "changes": "/packages/pkg/changes",
}
OF_STATS = {
    "open alerts": "/alerts?state=open",
    "open alerts of a package": "/alerts?state=open&package_id=pkg",
    "all alerts": "/alerts?state=all",
    "report of messages": "/reports/messages",
    "report of messages of a package": "/reports/messages?package_id=pkg",
    "report of a message": "/reports/messages/msg_1",
    "report of profiles": "/reports/profiles",
    "report of packages": "/reports/packages",
    "history by hour": "/history?by=hour&package_id=pkg",
    "history by minute of a profile": "/history?by=minute&profile_id=p1",
}


async def plans(engine: AsyncEngine, now: datetime) -> str:
    """The plans of all deletions."""
    before = now - timedelta(days=KEEP_DAYS)
    ids = {"message_ids": [f"msg_{n}" for n in range(800, 810)], "before": before, "rows": ROWS_MAX}
    ages = {"after": now - timedelta(days=9_999), "before": before, "rows": ROWS_MAX}
    walk = {"after": ages["after"], "after_id": "", "before": before, "limit": ROWS_MAX}
    statements = [
        (ingress_sql.OLD_MESSAGES, walk),
        (ingress_sql.REMOVE_MESSAGES, {"message_ids": ids["message_ids"], "before": before}),
        (ingress_sql.DELETE_DELIVERIES, {"message_ids": ids["message_ids"], "rows": ROWS_MAX}),
        *((deletion_of(old), {**ages, "before": now - old.keep}) for old in old_rows(timedelta(days=731))),
    ]
    lines: list[str] = []
    async with engine.connect() as connection:
        for statement, params in statements:
            await connection.execute(TAKE_TURN, {"table": "plans"})
            lines += (await connection.execute(text(f"EXPLAIN {statement.text}"), params)).scalars()
            await connection.rollback()
    return "\n".join(lines)


def deleted_deliveries() -> float:
    return REGISTRY.get_sample_value("spreader_deleted_rows_total", {"table": "ingress.delivery"}) or 0.0


@pytest.mark.timeout(3600)
async def test_lists_are_quick_beside_the_deletion_of_old_messages(
    database_url: str, keep: Callable[[str, Mapping[str, Any]], None]
) -> None:
    engine, stats_engine = (create_engine(Settings(database_url=database_url), name) for name in ("ingress", "stats"))
    for each, service in ((engine, "ingress"), (stats_engine, "stats")):
        await migrate(each, service)
    began = time.monotonic()
    deliveries, now = await generate(database_url), wall_now()
    generated = round(time.monotonic() - began)
    assert "Seq Scan" not in await plans(engine, now)
    messages = Steps(MessageRetention(engine, wall_now, timedelta(days=KEEP_DAYS)).delete_old)
    counts = Steps(Retention(stats_engine, wall_now, lambda: old_rows(timedelta(days=KEEP_DAYS))).delete_old)
    loops = [retention_loop("messages", messages.delete_old), retention_loop("counts", counts.delete_old)]
    harness = StatsHarness(stats_engine, now, package("pkg", *(profile(f"p{n}") for n in range(20))))
    transport = httpx.ASGITransport(harness.app("key"))
    stats = httpx.AsyncClient(
        transport=transport, base_url="http://stats/api/v1", headers={"Authorization": "Bearer key"}
    )
    async with running(engine, now) as system, stats:
        await system.package("a")
        alone = {**await measured(system.http, INGRESS), **await measured(stats, OF_STATS)}
        for loop in loops:
            await loop.start()
        began = time.monotonic()
        lists = {**await measured(system.http, INGRESS), **await measured(stats, OF_STATS)}
        async with asyncio.timeout(1_800):
            while deleted_deliveries() < DELETED_MIN:
                await asyncio.sleep(0.5)
        seconds, deleted = time.monotonic() - began, deleted_deliveries()
        for loop in loops:
            await loop.stop()
    await engine.dispose()
    await stats_engine.dispose()
    slow = sorted(name for name, took in lists.items() if took["median_ms"] > LIST_MS_MAX)
    steps = {
        name: {"steps": len(each.seconds), "longest_ms": round(max(each.seconds) * 1e3)}
        for name, each in (("messages", messages), ("counts", counts))
    }
    keep(
        "ten_million",
        {
            "deliveries": deliveries,
            "messages": LARGE + SMALL,
            "seconds_to_generate": generated,
            "unit": f"milliseconds of {TIMES} requests one after another; lists have up to 50 or 100 rows",
            "lists_beside_retention": lists,
            "lists_alone": alone,
            f"slower_than_{LIST_MS_MAX:.0f}_ms": slow,
            "retention": {**steps, "deliveries_deleted_per_second": round(deleted / seconds)},
        },
    )
    assert max(*messages.seconds, *counts.seconds) < STEP_SECONDS_MAX
    assert slow == []
