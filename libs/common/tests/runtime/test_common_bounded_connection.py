"""Bounded connection: Postgres stops answering, and no task waits for it: the pool recovers, and stops."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.runtime.postgres import create_engine, is_transient
from spreader.settings import Settings

pytestmark = pytest.mark.postgres

BOUND_SECONDS = 0.2
SOON_SECONDS = 5.0


@dataclass
class Tunnel:
    """A TCP proxy that can hold all answers back while the connections stay open, as a dead host does."""

    port: int = 0
    open: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    _writers: list[asyncio.StreamWriter] = field(default_factory=list[asyncio.StreamWriter])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int) -> None:
        upstream_reader, upstream = await asyncio.open_connection(host, port)
        self._writers += (writer, upstream)
        for source, sink in ((reader, upstream), (upstream_reader, writer)):
            task = asyncio.create_task(self._copy(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                await self.open.wait()
                sink.write(data)
        sink.close()

    async def end(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()  # some data may never be taken, so nothing is flushed
        await asyncio.gather(*(writer.wait_closed() for writer in self._writers), return_exceptions=True)


@pytest.fixture
async def tunnel(database_url: str) -> AsyncGenerator[Tunnel]:
    address = make_url(database_url)
    tunnel = Tunnel()
    tunnel.open.set()
    server = await asyncio.start_server(
        lambda reader, writer: tunnel.serve(reader, writer, address.host or "", address.port or 5432), "127.0.0.1", 0
    )
    tunnel.port = server.sockets[0].getsockname()[1]
    yield tunnel
    server.close()
    await tunnel.end()


@pytest.fixture
async def engine(database_url: str, tunnel: Tunnel, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[AsyncEngine]:
    monkeypatch.setattr("spreader.runtime.bounded_connection.ROLLBACK_SECONDS", BOUND_SECONDS)
    monkeypatch.setattr("spreader.runtime.bounded_connection.CLOSE_SECONDS", BOUND_SECONDS)
    through = make_url(database_url).set(host="127.0.0.1", port=tunnel.port).render_as_string(hide_password=False)
    engine = create_engine(Settings(database_url=through, database_connections=1), "test")
    yield engine
    await engine.dispose()


async def test_a_rollback_without_an_answer_ends_and_the_pool_recovers(engine: AsyncEngine, tunnel: Tunnel) -> None:
    async def fail() -> None:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT 1"))
            tunnel.open.clear()
            raise RuntimeError("the work failed")

    began = time.monotonic()
    with pytest.raises(DBAPIError, match="ROLLBACK") as caught:
        await fail()
    assert time.monotonic() - began < SOON_SECONDS
    assert is_transient(caught.value)
    tunnel.open.set()
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT 1"))).scalar_one() == 1


async def test_a_task_cancelled_in_a_statement_without_an_answer_gives_its_place_back(
    engine: AsyncEngine, tunnel: Tunnel
) -> None:
    inside = asyncio.Event()

    async def work() -> None:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT 1"))
            tunnel.open.clear()
            inside.set()
            await connection.execute(text("SELECT 2"))

    task = asyncio.create_task(work())
    await inside.wait()
    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - began < SOON_SECONDS
    tunnel.open.set()
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT 1"))).scalar_one() == 1


async def test_a_pool_is_closed_although_postgres_does_not_answer(engine: AsyncEngine, tunnel: Tunnel) -> None:
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
    tunnel.open.clear()
    began = time.monotonic()
    await engine.dispose()
    assert time.monotonic() - began < SOON_SECONDS
    tunnel.open.set()
