"""System: all of Spreader, started by `make up` in a temporary folder."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM
from typing import Any

import aiohttp

from bench.child import TREE, MeasurementError
from bench.messages import PACKAGE
from local.home import LocalHome
from local.process.ports import HOST, free_port
from local.process.program import Command, spawn
from local.services import CATALOGUE

KEY = "bench-key"
PROFILES = 4
START_SECONDS = 150.0
STOP_SECONDS = 30.0
POLL_SECONDS = 0.2
TIMEOUT = aiohttp.ClientTimeout(total=20)


@dataclass(frozen=True, slots=True)
class Tree:
    """A checkout of the project and the Python that has its packages."""

    folder: Path
    python: Path


THIS_TREE = Tree(TREE, Path(sys.executable))


@dataclass(frozen=True, slots=True)
class BenchSystem:
    ports: Mapping[str, int]
    session: aiohttp.ClientSession
    pid: int
    """The process id of `make up`, which has started all other processes."""
    home: Path

    @property
    def kafka(self) -> str:
        return f"{HOST}:{self.ports['kafka']}"

    @property
    def api(self) -> str:
        return f"http://{HOST}:{self.ports['ingress']}/api/v1"

    def pids(self) -> Mapping[str, int]:
        """The process ids of the servers and services, by their names."""
        running = LocalHome(self.home).running()
        assert running is not None, "make up writes this file before it is ready"
        return {name: pid for name, pid in running["processes"].items() if pid is not None}

    async def post(self, path: str, body: bytes) -> tuple[int, Any]:
        headers = {"Content-Type": "application/json"}
        async with self.session.post(f"{self.api}{path}", data=body, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def ledger(self) -> list[dict[str, Any]]:
        async with self.session.get(f"http://{HOST}:{self.ports['simulator']}/ledger") as answer:
            return [json.loads(line) for line in (await answer.text()).splitlines()]

    async def create_package(self) -> None:
        """Create the package and the profiles that all measurements use."""
        await self._create("/packages", {"package_id": PACKAGE, "name": "Bench", "rest_window": None})
        for number in range(1, PROFILES + 1):
            profile_id = f"{PACKAGE}-{number}"
            gateway = {"driver": "simulator", "account": profile_id}
            profile = {"profile_id": profile_id, "name": profile_id, "phone": f"20100000000{number}"}
            await self._create(f"/packages/{PACKAGE}/profiles", {**profile, "gateway": gateway})

    async def _create(self, path: str, body: Mapping[str, Any]) -> None:
        status, answer = await self.post(path, json.dumps(body).encode())
        if status != 201:
            raise MeasurementError(f"POST {path} returned {status}: {answer}")


@asynccontextmanager
async def run_system(tree: Tree = THIS_TREE, settings: Mapping[str, str] | None = None) -> AsyncGenerator[BenchSystem]:
    """Run a system as long as the block runs. The block begins when the system is ready. The log of the system is kept
    only after a failure.

    `settings`: environment variables of all processes of the system.
    """
    folder = Path(tempfile.mkdtemp(prefix="spreader-bench-"))
    try:
        async with _up(folder, tree, settings or {}) as system:
            yield system
    except MeasurementError as reason:
        log = shutil.move(folder / "log", folder.with_suffix(".log"))
        raise MeasurementError(f"{reason}\n(the log of the system is {log})") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def _up(folder: Path, tree: Tree, settings: Mapping[str, str]) -> AsyncGenerator[BenchSystem]:
    ports = {name: free_port() for name in (*(service.name for service in CATALOGUE), "kafka")}
    environment = {**_environment(folder, ports), **settings}
    up = Command([str(tree.python), "-m", "local", "up"], environment, tree.folder, orphan_signal=SIGTERM)
    with (folder / "log").open("wb") as log:
        process = spawn(up, log)
    try:
        await _ready(process, folder / "log")
        session = aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}, timeout=TIMEOUT)
        async with session:
            yield BenchSystem(ports, session, process.pid, folder / "home")
    finally:
        _stop(process)


def _environment(folder: Path, ports: Mapping[str, int]) -> dict[str, str]:
    """The caller's environment without Spreader settings, so that the bench uses only its own system."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("SPREADER_")},
        "SPREADER_HOME": str(folder / "home"),
        "SPREADER_API_KEY": KEY,
        "SPREADER_DEMO": "0",
        **{f"SPREADER_{name.upper()}_PORT": str(port) for name, port in ports.items()},
    }


async def _ready(process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        output = log.read_text(errors="replace")  # noqa: ASYNC240 - a small file, and no other task runs
        if process.poll() is not None or time.monotonic() > until:
            raise MeasurementError(f"the system did not come up:\n{output[-3000:]}")
        if any(line.startswith("ready:") for line in output.splitlines()):
            break
        await asyncio.sleep(POLL_SECONDS)
    if "in-memory broker" in output:
        raise MeasurementError("no real Kafka on this machine: figures of the in-memory broker would mean nothing")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop `make up`, and kill it after a time-out. All processes that `make up` has started then end too."""
    process.send_signal(SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
