"""Hostile requests: a real ingress stays below 400 MB, and answers another caller meanwhile."""

import asyncio
import http.client
import io
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from PIL import Image

from local.process.ports import HOST, free_port
from local.process.program import Command, spawn
from spreader.settings import Settings

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.recorded, pytest.mark.timeout(1_800)]

MEGABYTES_MAX = 400
SECONDS_MAX = 0.5
PATIENCE_SECONDS = 300.0
POLL_SECONDS = 0.05
AT_ONCE_MAX = 64
REPLIES_MIN = 50
"""The least replies that are measured in each case, also when the hostile requests are answered before."""
KEY = "test-key"
OPEN, REPLY, MEDIA = "/packages/pkg/messages/open", "/packages/pkg/messages/reply", "/media"
IMPORT = "/suppressions/import"
MESSAGE = '{"type": "text", "text": "Hello", "recipients": [%s]}'


@dataclass(frozen=True, slots=True)
class Attack:
    """Hostile requests that are sent at the same time."""

    path: str
    bodies: Sequence[bytes]
    statuses: frozenset[int]


def image(mode: str, pixels: tuple[int, int], kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.new(mode, pixels).save(file, kind, **options)
    return file.getvalue()


def file() -> bytes:
    return "\U0001f600".encode() * (90 * 2**18)


def numbers(count: int, first: int = 0) -> str:
    return ",".join(f'"{201_000_000_000 + number}"' for number in range(first, first + count))


def attacks() -> dict[str, Callable[[], Attack]]:
    """The hostile cases. Their bodies are made only when they are needed, because they are large."""
    refused, taken, media = frozenset({400, 413, 422, 503}), frozenset({202, 503}), frozenset({201, 422, 503})
    eight, bomb = 8 * 2**20 - 1_000, image("RGBA", (8_000, 6_000))
    largest, progressive = image("RGBA", (5_000, 5_000)), image("RGB", (5_000, 5_000), "JPEG", progressive=True)
    full = (MESSAGE % numbers(99_999)).replace("Hello", "x" * 4_000).encode()
    text, endless = (MESSAGE % '"1"').replace("Hello", "\\u0001é" * 900_000).encode(), b'"' + b"x" * eight + b'"'
    return {
        "8 MB of empty recipients": lambda: Attack(OPEN, [(MESSAGE % ('"",' * (eight // 3) + '""')).encode()], refused),
        "100,000 wrong numbers": lambda: Attack(OPEN, [(MESSAGE % ('"1",' * 99_999 + '"1"')).encode()], refused),
        "100,000 valid numbers": lambda: Attack(OPEN, [(MESSAGE % numbers(100_000)).encode()], taken),
        "deep JSON": lambda: Attack(OPEN, [b"[" * eight, b'{"a":' * (eight // 5), b"[[" * 120_000], refused),
        "nested values": lambda: Attack(OPEN, [b"[" + b"[[]]," * 60_000 + b"1]"] * 6, refused),
        "texts of 8 MB": lambda: Attack(OPEN, [text] * 4, refused),
        "six picture bombs": lambda: Attack(MEDIA, [bomb] * 6, media),
        "six of the largest pictures": lambda: Attack(MEDIA, [largest, progressive] * 3, media),
        "six files of 90 MB": lambda: Attack(MEDIA, [file()] * 6, media),
        "pictures and files of 90 MB": lambda: Attack(MEDIA, [largest, progressive, file()] * 3, media),
        "40 large bodies at once": lambda: Attack(OPEN, [full, endless] * 20, taken | refused),
        "a CSV file of blank lines": lambda: Attack(IMPORT, [b"phone\n" + b"\n" * 30_000_000], frozenset({200})),
        "a CSV file of wrong numbers": lambda: Attack(IMPORT, [b"phone\r" + b"no\r" * 1_000_000], frozenset({200})),
    }  # fmt: skip


@dataclass
class Ingress:
    process: psutil.Process
    port: int
    peak_megabytes: float = 0.0
    worst_seconds: float = 0.0
    replies: int = 0

    @property
    def megabytes(self) -> float:
        """The memory of the process and its child. Shared pages count twice."""
        total = 0
        for process in (self.process, *self.process.children(recursive=True)):
            try:
                total += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        return total / 2**20

    def send(self, path: str, body: bytes) -> int:
        """Send one hostile request, in a thread. Returns the status."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=PATIENCE_SECONDS)
        try:
            connection.request("POST", f"/api/v1{path}", body, {"Authorization": f"Bearer {KEY}"})
            return connection.getresponse().status
        finally:
            connection.close()

    async def watch(self, reply: Callable[[], Any]) -> None:
        """Measures memory and replies until it is cancelled."""
        while True:
            self.peak_megabytes = max(self.peak_megabytes, self.megabytes)
            began = time.monotonic()
            await reply()
            seconds = time.monotonic() - began
            self.worst_seconds = max(self.worst_seconds, seconds)
            self.replies += 1
            await asyncio.sleep(POLL_SECONDS)


@asynccontextmanager
async def running_ingress(settings: Settings, folder: Path) -> AsyncGenerator[Ingress]:
    port = free_port()
    own = {
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "DATABASE_URL": settings.database_url,
        "API_KEY": KEY,
        "INGRESS_PORT": str(port),
        "MEDIA_STORE": f"file:{folder}/media",
        "LOG_LEVEL": "WARNING",
    }
    given = {name: value for name, value in os.environ.items() if not name.startswith("SPREADER_")}
    environment = {**given, **{f"SPREADER_{name}": value for name, value in own.items()}}
    with (folder / "ingress.log").open("ab") as output:
        process = spawn(Command([sys.executable, "-m", "ingress"], environment), output)
    try:
        yield Ingress(psutil.Process(process.pid), port)
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait)


async def test_hostile_requests_take_little_memory_and_hold_up_no_other_caller(
    settings: Settings, tmp_path: Path, keep: Callable[[str, Mapping[str, Any]], None]
) -> None:
    headers = {"Authorization": f"Bearer {KEY}", "Prefer": "respond-async"}
    async with running_ingress(settings, tmp_path) as ingress:
        base = f"http://{HOST}:{ingress.port}"
        async with httpx.AsyncClient(base_url=f"{base}/api/v1", headers=headers, timeout=PATIENCE_SECONDS) as caller:
            await _wait_until_ready(caller, f"{base}/health/ready")
            (await caller.post("/packages", json={"package_id": "pkg", "name": "P"})).raise_for_status()
            profile = {"profile_id": "a", "name": "A", "phone": "201000000001", "gateway": {"driver": "simulator"}}
            (await caller.post("/packages/pkg/profiles", json=profile)).raise_for_status()

            async def reply() -> None:
                answer = await caller.post(REPLY, json={"type": "text", "text": "Hi", "recipient": "201000000011"})
                assert answer.status_code == 202, answer.text

            figures = {"quiet": await _measure(ingress, reply, None)}
            for name, attack in attacks().items():
                figures[name] = await _measure(ingress, reply, attack())
    keep("hostile-requests", {"megabytes_max": MEGABYTES_MAX, "cases": figures})
    over = {name: case for name, case in figures.items() if case["megabytes"] >= MEGABYTES_MAX}
    late = {name: case for name, case in figures.items() if case["worst_reply_ms"] >= SECONDS_MAX * 1_000}
    assert over == {}
    assert late == {}, "a busy machine makes replies late too: see `quiet`"


async def _measure(ingress: Ingress, reply: Callable[[], Any], attack: Attack | None) -> dict[str, Any]:
    ingress.peak_megabytes, ingress.worst_seconds, ingress.replies = 0.0, 0.0, 0
    watching, began = asyncio.create_task(ingress.watch(reply)), time.monotonic()
    statuses = Counter[int]()
    try:
        with ThreadPoolExecutor(AT_ONCE_MAX) as threads:
            sends = [partial(ingress.send, attack.path, body) for body in attack.bodies] if attack else []
            loop = asyncio.get_running_loop()
            statuses.update(await asyncio.gather(*(loop.run_in_executor(threads, send) for send in sends)))
        while ingress.replies < REPLIES_MIN and not watching.done():
            await asyncio.sleep(POLL_SECONDS)
        assert attack is None or set(statuses) <= attack.statuses, statuses
    finally:
        watching.cancel()
        await asyncio.wait([watching])
    if not watching.cancelled():
        watching.result()
    return {
        "megabytes": round(ingress.peak_megabytes),
        "worst_reply_ms": round(ingress.worst_seconds * 1_000),
        "seconds": round(time.monotonic() - began, 1),
        "statuses": {str(status): count for status, count in sorted(statuses.items())},
    }


async def _wait_until_ready(caller: httpx.AsyncClient, url: str) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                if (await caller.get(url)).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(POLL_SECONDS)
