"""Running system: `make up` as a process of its own, and the only three windows that a black-box test looks through.

The public API, the simulator's ledger (the truth about what was sent when), and the process ids, to kill by.
"""

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

from local.process.ports import free_port
from local.process.program import die_with_parent

START_SECONDS = 240.0
STOP_SECONDS = 30.0
POLL_SECONDS, POLL_SECONDS_MAX = 0.1, 1.0
POLL_SHARE = 0.05
"""Of the time that it has waited: who looks all the time takes the processor from whom it waits for."""
KEY = "e2e-key"
WAIT_SECONDS = 20.0
"""For what an answer of the API waits a second or two, if it is not there: here it waits for a slow machine, too."""
WAITS = ("ROUTED", "FORECAST", "CONFIGURED", "FOUND", "ROUTER_HEARD")
SERVICES = ("ingress", "router", "pacer", "sender", "stats", "simulator", "console")

T = TypeVar("T")


async def eventually(look: Callable[[], Awaitable[T]], seconds: float, until: Callable[[T], bool] = bool) -> T:
    """Look until what is seen satisfies `until`; fail after `seconds` with what was seen last."""
    began = time.monotonic()
    while True:
        seen = await look()
        if until(seen):
            return seen
        waited = time.monotonic() - began
        assert waited < seconds, f"after {seconds:g} s still: {str(seen)[:1500]}"
        await asyncio.sleep(min(max(waited * POLL_SHARE, POLL_SECONDS), POLL_SECONDS_MAX))


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    headers: Mapping[str, str]
    seconds: float


@dataclass
class Running:
    """One system in a folder of its own, on ports of its own."""

    folder: Path
    speed: float = 1.0
    more: Mapping[str, str] = field(default_factory=dict[str, str])
    ports: Mapping[str, int] = field(default_factory=lambda: {name: free_port() for name in (*SERVICES, "kafka")})
    _process: subprocess.Popen[bytes] | None = None
    _session: aiohttp.ClientSession | None = None
    _ledger: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    @property
    def environment(self) -> dict[str, str]:
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("SPREADER_")},
            "SPREADER_HOME": str(self.folder),
            "SPREADER_API_KEY": KEY,
            "SPREADER_DEMO": "0",
            "SPREADER_READY_SECONDS": f"{START_SECONDS:g}",
            "SPREADER_CLOCK_SPEED": f"{self.speed:g}",
            **{f"SPREADER_{name}_WAIT_SECONDS": f"{WAIT_SECONDS:g}" for name in WAITS},
            **{f"SPREADER_{name.upper()}_PORT": str(port) for name, port in self.ports.items()},
            **self.more,
        }

    @property
    def log(self) -> Path:
        return self.folder.with_suffix(".log")

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    async def start(self) -> None:
        self._process = await asyncio.to_thread(self._begin)
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {KEY}"}, timeout=aiohttp.ClientTimeout(total=60)
        )
        await eventually(self._is_up, START_SECONDS)

    def _begin(self) -> subprocess.Popen[bytes]:
        return _spawn(["-m", "local", "up"], self.environment, self.log)

    async def _is_up(self) -> bool:
        assert self._process is not None
        said = self.log.read_text(errors="replace")
        assert self._process.poll() is None, f"make up ended by itself:\n{said[-3000:]}"
        if self.more.get("SPREADER_LOCAL_BROKER") != "memory":
            instead = [line for line in said.splitlines() if "in-memory broker" in line]
            assert instead == [], f"these tests need Kafka itself: {instead[0]}"
        return any(line.startswith("ready:") for line in said.splitlines())

    async def stop(self, by: signal.Signals = signal.SIGTERM) -> int:
        """Stop as Ctrl-C or an init would; answers the exit code."""
        assert self._process is not None
        assert self._session is not None
        await self._session.close()
        self._process.send_signal(by)
        try:
            return await asyncio.to_thread(self._process.wait, STOP_SECONDS)
        finally:
            self._process.kill()
            self.log.rename(self.log.with_suffix(f".{time.monotonic_ns()}.log"))

    def pid(self, name: str) -> int | None:
        return json.loads((self.folder / "running.json").read_text())["processes"][name]

    def pids(self) -> set[int]:
        """Of `make up` and of everything that it runs."""
        running = json.loads((self.folder / "running.json").read_text())
        return {running["pid"], *(pid for pid in running["processes"].values() if pid is not None)}

    def kill(self, name: str) -> int:
        pid = self.pid(name)
        assert pid is not None, f"{name} does not run"
        os.kill(pid, signal.SIGKILL)
        return pid

    async def another(self, name: str) -> "Another":
        """One more process of a service, beside that of `make up` and with its settings, but a member of its own: two
        of one name would take each other's place in the consumer group."""
        pid = self.pid(name)
        assert pid is not None, f"{name} does not run"
        said = await asyncio.to_thread(Path(f"/proc/{pid}/environ").read_text)
        environment = dict(pair.split("=", 1) for pair in said.split("\0") if "=" in pair)
        port = free_port()
        log = self.log.with_suffix(f".{name}-{port}.log")
        own = {f"SPREADER_{name.upper()}_PORT": str(port), "SPREADER_INSTANCE": f"{name}-{port}"}
        another = Another(self, name, {**environment, **own}, port, log)
        await another.start()
        return another

    async def ask(
        self, method: str, path: str, body: Any = None, *, raw: bytes | None = None, **headers: str
    ) -> Answer:
        """Call the public API; `raw` is sent as it is."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        data = raw if raw is not None else (None if body is None else json.dumps(body).encode())
        if data is not None:
            named.setdefault("Content-Type", "application/json")
        return await self._call(method, f"http://127.0.0.1:{self.ports['ingress']}/api/v1{path}", data, named)

    async def ask_simulator(self, method: str, path: str, body: Any = None) -> Answer:
        data = None if body is None else json.dumps(body).encode()
        address = f"http://127.0.0.1:{self.ports['simulator']}{path}"
        return await self._call(method, address, data, {"Content-Type": "application/json"})

    async def ask_at(self, name: str, path: str) -> Answer:
        """What a service answers at an address of its own, such as /metrics."""
        return await self._call("GET", f"http://127.0.0.1:{self.ports[name]}{path}", None, {})

    async def ready(self, name: str = "ingress", port: int | None = None) -> Answer:
        return await self._call("GET", f"http://127.0.0.1:{port or self.ports[name]}/health/ready", None, {})

    async def ledger(self, message_id: str | None = None) -> list[dict[str, Any]]:
        """What arrived at the gateway, in order; of one message where that is named. Each line is fetched once."""
        known = len(self._ledger)
        answer = await self.ask_simulator("GET", f"/ledger?after={known}")
        if answer.status != 200:
            raise ConnectionError(f"the simulator is not ready: {answer.body}")
        self._ledger[known:] = [json.loads(line) for line in str(answer.body).splitlines()]
        if message_id is None:
            return list(self._ledger)
        wanted = await self.delivery_ids(message_id)
        return [line for line in self._ledger if line["delivery_id"] in wanted]

    async def delivery_ids(self, message_id: str) -> set[str]:
        found: set[str] = set()
        cursor = ""
        while True:
            page = await self.ask("GET", f"/messages/{message_id}/deliveries?limit=200{cursor}")
            assert page.status == 200, page.body
            found |= {each["delivery_id"] for each in page.body["data"]}
            if page.body["next_cursor"] is None:
                return found
            cursor = f"&cursor={page.body['next_cursor']}"

    async def package(self, package_id: str, profiles: int, **settings: Any) -> list[str]:
        """Make a package with simulator profiles; answers their ids. It never rests, unless a test asks for it: by the
        wall's clock the same test runs at noon and at two in the morning."""
        asked = {"package_id": package_id, "name": package_id, "rest_window": None, **settings}
        made = await self.ask("POST", "/packages", asked)
        assert made.status == 201, made.body
        ids = [f"{package_id}_p{number + 1}" for number in range(profiles)]
        for number, profile_id in enumerate(ids):
            profile = {
                "profile_id": profile_id,
                "name": f"Profile {number + 1}",
                "phone": f"2010{abs(hash(profile_id)) % 10**8:08}",
                "gateway": {"driver": "simulator", "account": profile_id},
            }
            added = await self.ask("POST", f"/packages/{package_id}/profiles", profile)
            assert added.status == 201, added.body
        return ids

    async def _call(self, method: str, address: str, data: bytes | None, headers: Mapping[str, str]) -> Answer:
        assert self._session is not None
        began = time.monotonic()
        sent = None if data is None else io.BytesIO(data)  # aiohttp warns of large bytes
        async with self._session.request(method, address, data=sent, headers=headers) as answer:
            text = await answer.text()
            seconds = time.monotonic() - began
            body = json.loads(text) if answer.content_type.endswith(("/json", "+json")) else text
            return Answer(answer.status, body, answer.headers, seconds)


@dataclass
class Another:
    """A process of a service that nobody but the test looks after."""

    system: Running
    name: str
    environment: Mapping[str, str]
    port: int
    log: Path
    _process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        self._process = await asyncio.to_thread(self._begin)
        await eventually(self._is_ready, START_SECONDS)

    def _begin(self) -> subprocess.Popen[bytes]:
        return _spawn(["-m", self.name], self.environment, self.log)

    async def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"{self.name} ended by itself:\n{self.log.read_text()[-3000:]}"
        try:
            return (await self.system.ready(port=self.port)).status == 200
        except OSError:
            return False

    async def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        await asyncio.to_thread(self._process.wait)


def _spawn(arguments: list[str], environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """When the tests are killed it is told to stop, by the end of the thread that starts it: a worker of the loop."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, *arguments],
            env=dict(environment),
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent(signal.SIGTERM),
        )


def recipients(count: int, start: int = 0) -> list[str]:
    return [f"2015{number:08}" for number in range(start, start + count)]


def moments(lines: list[dict[str, Any]]) -> list[datetime]:
    return sorted(datetime.fromisoformat(line["at"]) for line in lines)


WINDOWS = {"per_hour": timedelta(hours=1), "per_3_hours": timedelta(hours=3), "per_day": timedelta(days=1)}


def within_limits(lines: list[dict[str, Any]], limits: Mapping[str, int | None]) -> set[str]:
    """No rolling window over these lines of the ledger (one profile's) holds more than its limit.

    Answers the limits that some window was exactly full by: one that is never full has not been tried.
    """
    sent, full = moments(lines), set[str]()
    for name, window in WINDOWS.items():
        limit = limits[name]
        assert limit is not None
        assert not _holds(sent, limit + 1, window), f"more than {limit} within {window}"
        if _holds(sent, limit, window):
            full.add(name)
    return full


def _holds(sent: list[datetime], count: int, window: timedelta) -> bool:
    """Whether any rolling window holds so many."""
    return any(last - first < window for first, last in zip(sent, sent[count - 1 :], strict=False))
