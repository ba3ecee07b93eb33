"""System: all of Spreader in a folder of its own, which is gone afterwards, as `make up` starts it."""

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

from bench.child import TREE, Failed
from bench.messages import PACKAGE
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
class System:
    ports: Mapping[str, int]
    session: aiohttp.ClientSession

    @property
    def kafka(self) -> str:
        return f"{HOST}:{self.ports['kafka']}"

    @property
    def api(self) -> str:
        return f"http://{HOST}:{self.ports['ingress']}/api/v1"

    async def post(self, path: str, body: bytes) -> tuple[int, Any]:
        headers = {"Content-Type": "application/json"}
        async with self.session.post(f"{self.api}{path}", data=body, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def ledger(self) -> list[dict[str, Any]]:
        async with self.session.get(f"http://{HOST}:{self.ports['simulator']}/ledger") as answer:
            return [json.loads(line) for line in (await answer.text()).splitlines()]

    async def furnish(self) -> None:
        """The package that all measurements send through, with its profiles."""
        await self._make("/packages", {"package_id": PACKAGE, "name": "Bench", "rest_window": None})
        for number in range(1, PROFILES + 1):
            profile_id = f"{PACKAGE}-{number}"
            gateway = {"driver": "simulator", "account": profile_id}
            profile = {"profile_id": profile_id, "name": profile_id, "phone": f"20100000000{number}"}
            await self._make(f"/packages/{PACKAGE}/profiles", {**profile, "gateway": gateway})

    async def _make(self, path: str, body: Mapping[str, Any]) -> None:
        status, answer = await self.post(path, json.dumps(body).encode())
        if status != 201:
            raise Failed(f"POST {path} was answered {status}: {answer}")


@asynccontextmanager
async def running() -> AsyncGenerator[System]:
    """Up when it is entered; whatever happens, no process and no data are left (after a failure: its log is)."""
    folder = Path(tempfile.mkdtemp(prefix="spreader-bench-"))
    try:
        async with _up(folder) as system:
            yield system
    except Failed as reason:
        log = shutil.move(folder / "log", folder.with_suffix(".log"))
        raise Failed(f"{reason}\n(what the system said is in {log})") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def _up(folder: Path) -> AsyncGenerator[System]:
    ports = {name: free_port() for name in (*(service.name for service in CATALOGUE), "kafka")}
    up = Command([sys.executable, "-m", "local", "up"], _environment(folder, ports), TREE, orphan_signal=SIGTERM)
    with (folder / "log").open("wb") as log:
        process = spawn(up, log)
    try:
        await _ready(process, folder / "log")
        session = aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}, timeout=TIMEOUT)
        async with session:
            yield System(ports, session)
    finally:
        _stop(process)


def _environment(folder: Path, ports: Mapping[str, int]) -> dict[str, str]:
    """Nothing of the caller's own system: the bench sends to nobody else."""
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
        said = log.read_text(errors="replace")  # noqa: ASYNC240 - a small file, and nothing else to do
        if process.poll() is not None or time.monotonic() > until:
            raise Failed(f"the system did not come up:\n{said[-3000:]}")
        if any(line.startswith("ready:") for line in said.splitlines()):
            break
        await asyncio.sleep(POLL_SECONDS)
    if "in-memory broker" in said:
        raise Failed("there is no real Kafka on this machine, and the trial broker's figures would say nothing")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Killed if it must be: its own processes then go with it."""
    process.send_signal(SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
