"""Pause: an operator pauses a download for a minute, at stats and through the console, and gets the whole file."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from console.data.polling_cache import PollingCaches
from console.data.sessions import COOKIE, Sessions
from console.settings import ConsoleSettings
from console.ui import auth, downloads
from local.testbed.databases import MigratedDatabases
from spreader.clock import wall_now
from spreader.settings import Settings
from spreader.testing import SlowReader, serving
from stats.testing import StatsHarness, package

PAUSE_SECONDS = 60.0
ROWS = 100_000
"""These rows are 10 MB, which do not fit into the buffers between stats, the console and the browser."""
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FILE = "history.csv?package_id=shop&by=hour&each=profile"
INSERT = text("""
INSERT INTO stats.hour (profile_id, at, lane, package_id, sent)
SELECT md5(CAST(number AS text)), CAST(:at AS timestamptz), 'open', 'shop', number
FROM generate_series(1, CAST(:rows AS int)) AS number""")


@pytest.mark.postgres
@pytest.mark.recorded
@pytest.mark.timeout(600)
async def test_a_download_that_pauses_for_a_minute_is_complete(
    databases: MigratedDatabases, keep: Callable[[str, Mapping[str, Any]], None]
) -> None:
    stall_seconds, sessions = Settings().response_stall_seconds, Sessions("a secret", timedelta(hours=1), wall_now)
    console, rows = FastAPI(), dict[str, int]()
    async with databases.of("stats") as engine, contextlib.AsyncExitStack() as stack:
        async with engine.begin() as connection:
            await connection.execute(INSERT, {"at": NOON, "rows": ROWS})
        app = StatsHarness(engine, NOON, package("shop")).app("secret")
        stats_url = await stack.enter_async_context(serving(app, stall_seconds, send_buffer=4096))
        caches = PollingCaches(ConsoleSettings(stats_url=stats_url), wall_now)
        downloads.install(console, sessions, caches)
        auth.install(console, sessions, caches, secure=False)
        await caches.start()
        stack.push_async_callback(caches.stop)
        console_url = await stack.enter_async_context(serving(console, stall_seconds, send_buffer=4096))
        cookie = f"{COOKIE}={sessions.new_cookie('secret', 'Mona')}"
        readers = {
            "stats": SlowReader(stats_url, f"/api/v1/exports/{FILE}", {"Authorization": "Bearer secret"}),
            "console": SlowReader(console_url, f"/downloads/{FILE}", {"Cookie": cookie}),
        }
        for reader in readers.values():
            stack.enter_context(contextlib.closing(reader))
            assert await reader.start() == b"H"
        await asyncio.sleep(PAUSE_SECONDS)  # the pause is what this test is about
        # Both are read at once, because the second one would pause too long while the first one is read.
        answers = await asyncio.gather(*(reader.rest() for reader in readers.values()))
        for name, (body, is_complete) in zip(readers, answers, strict=True):
            assert is_complete, name
            rows[name] = len({line for line in body.split(b"\r\n") if line.startswith(b"2026-03-01T12")})
    keep("export-pause", {"pause_seconds": PAUSE_SECONDS, "rows_received": rows})
    assert set(rows.values()) == {ROWS}
