"""Running system: `make up` in its own process, as a black-box test sees it.

A test uses the public API, the simulator's send ledger (which messages arrived when), and the process ids to kill.
"""

import asyncio
import functools
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
from spreader.clock import Clock
from spreader.testing.conformance import Conformance

START_SECONDS = 240.0
STOP_SECONDS = 30.0
POLL_SECONDS, POLL_SECONDS_MAX = 0.1, 1.0
POLL_SHARE = 0.05
"""Poll interval as a share of the time waited so far: frequent polling would slow down the system under test."""
KEY = "e2e-key"
WAIT_SECONDS = 20.0
"""Value of the API's `…_WAIT_SECONDS` settings. The defaults of a second or two are too short on a slow machine."""
WAITS = ("ROUTED", "FORECAST", "CONFIGURED", "FOUND", "ROUTER_HEARD")
SERVICES = ("ingress", "router", "pacer", "sender", "stats", "simulator", "console")
PORTS = (*SERVICES, "kafka", "postgres")
BUILDS = Path(__file__).parent / "builds"
"""In a test, a service can be replaced by a newer build of itself: see its `sitecustomize.py`."""
DOCS = Path(__file__).parents[2] / "docs"
DOCUMENTS = {"ingress": DOCS / "openapi.json", "stats": DOCS / "openapi-stats.json"}

T = TypeVar("T")


async def eventually(look: Callable[[], Awaitable[T]], seconds: float, until: Callable[[T], bool] = bool) -> T:
    """Call `look` until its result satisfies `until`, and return it. Fails after `seconds` with the last result."""
    began = time.monotonic()
    while True:
        seen = await look()
        if until(seen):
            return seen
        waited = time.monotonic() - began
        assert waited < seconds, f"after {seconds:g} s still: {str(seen)[:1500]}"
        await asyncio.sleep(min(max(waited * POLL_SHARE, POLL_SECONDS), POLL_SECONDS_MAX))


@dataclass(frozen=True)
class Response:
    status: int
    body: Any
    headers: Mapping[str, str]
    seconds: float


@dataclass
class RunningSystem:
    """One system with its own folder and ports."""

    folder: Path
    speed: float = 1.0
    extra_environment: Mapping[str, str] = field(default_factory=dict[str, str])
    ports: Mapping[str, int] = field(default_factory=lambda: {name: free_port() for name in PORTS})
    _process: subprocess.Popen[bytes] | None = None
    _session: aiohttp.ClientSession | None = None
    _ledger: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    @property
    def environment(self) -> dict[str, str]:
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("SPREADER_")},
            "PYTHONPATH": str(BUILDS),
            "TEST_BUILDS": str(self.folder / "builds"),
            "SPREADER_HOME": str(self.folder),
            "SPREADER_API_KEY": KEY,
            "SPREADER_DEMO": "0",
            "SPREADER_READY_SECONDS": f"{START_SECONDS:g}",
            "SPREADER_CLOCK_SPEED": f"{self.speed:g}",
            **{f"SPREADER_{name}_WAIT_SECONDS": f"{WAIT_SECONDS:g}" for name in WAITS},
            **{f"SPREADER_{name.upper()}_PORT": str(port) for name, port in self.ports.items()},
            **self.extra_environment,
        }

    @property
    def log(self) -> Path:
        return self.folder.with_suffix(".log")

    @property
    def clock(self) -> Clock:
        return Clock.parse(json.loads((self.folder / "clock.json").read_text())["clock"])

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    async def start(self) -> None:
        self._process = await asyncio.to_thread(self._spawn)
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {KEY}"}, timeout=aiohttp.ClientTimeout(total=60)
        )
        await eventually(self._is_up, START_SECONDS)

    def _spawn(self) -> subprocess.Popen[bytes]:
        return _spawn(["-m", "local", "up"], self.environment, self.log)

    async def _is_up(self) -> bool:
        assert self._process is not None
        output = self.log.read_text(errors="replace")
        assert self._process.poll() is None, f"make up ended by itself:\n{output[-3000:]}"
        if self.extra_environment.get("SPREADER_LOCAL_BROKER") != "memory":
            in_memory = [line for line in output.splitlines() if "in-memory broker" in line]
            assert in_memory == [], f"these tests need a real Kafka: {in_memory[0]}"
        return any(line.startswith("ready:") for line in output.splitlines())

    async def stop(self, by: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal as Ctrl-C or an init does; returns the exit code."""
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
        """The process ids of `make up` and of everything that it runs."""
        running = json.loads((self.folder / "running.json").read_text())
        return {running["pid"], *(pid for pid in running["processes"].values() if pid is not None)}

    def choose_build(self, name: str, generation: int) -> None:
        """From its next start, a service is the build of this generation."""
        folder = self.folder / "builds"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(str(generation))

    def kill(self, name: str) -> int:
        pid = self.pid(name)
        assert pid is not None, f"{name} does not run"
        os.kill(pid, signal.SIGKILL)
        return pid

    async def start_extra_process(self, name: str) -> "ExtraProcess":
        """Start another process of a service, with the settings of the one that `make up` runs.

        It has its own instance name: two processes with one name would take each other's place in the consumer group.
        """
        pid = self.pid(name)
        assert pid is not None, f"{name} does not run"
        variables = await asyncio.to_thread(Path(f"/proc/{pid}/environ").read_text)
        environment = dict(pair.split("=", 1) for pair in variables.split("\0") if "=" in pair)
        port = free_port()
        log = self.log.with_suffix(f".{name}-{port}.log")
        overrides = {f"SPREADER_{name.upper()}_PORT": str(port), "SPREADER_INSTANCE": f"{name}-{port}"}
        process = ExtraProcess(self, name, {**environment, **overrides}, port, log)
        await process.start()
        return process

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        port: int | None = None,
        **headers: str,
    ) -> Response:
        """Call the public API, at `port` if another ingress is meant. `raw` is a body that is sent unchanged."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        data = raw if raw is not None else (None if body is None else json.dumps(body).encode())
        if data is not None:
            named.setdefault("Content-Type", "application/json")
        address = f"http://127.0.0.1:{port or self.ports['ingress']}/api/v1{path}"
        return await self._call(method, address, data, named, "ingress")

    async def ask_simulator(self, method: str, path: str, body: Any = None) -> Response:
        data = None if body is None else json.dumps(body).encode()
        address = f"http://127.0.0.1:{self.ports['simulator']}{path}"
        return await self._call(method, address, data, {"Content-Type": "application/json"})

    async def ask_at(self, name: str, path: str) -> Response:
        """GET a path of a service, such as /metrics."""
        return await self._call("GET", f"http://127.0.0.1:{self.ports[name]}{path}", None, {}, name)

    async def ready(self, name: str = "ingress", port: int | None = None) -> Response:
        return await self._call("GET", f"http://127.0.0.1:{port or self.ports[name]}/health/ready", None, {})

    async def ledger(self, message_id: str | None = None) -> list[dict[str, Any]]:
        """The simulator's send ledger in order, of one message if given. Fetches each line once."""
        fetched = len(self._ledger)
        answer = await self.ask_simulator("GET", f"/ledger?after={fetched}")
        if answer.status != 200:
            raise ConnectionError(f"the simulator is not ready: {answer.body}")
        self._ledger[fetched:] = [json.loads(line) for line in str(answer.body).splitlines()]
        if message_id is None:
            return list(self._ledger)
        wanted = await self.delivery_ids(message_id)
        return [line for line in self._ledger if line["delivery_id"] in wanted]

    async def delivery_ids(self, message_id: str) -> set[str]:
        ids: set[str] = set()
        cursor = ""
        while True:
            page = await self.ask("GET", f"/messages/{message_id}/deliveries?limit=200{cursor}")
            assert page.status == 200, page.body
            ids |= {delivery["delivery_id"] for delivery in page.body["data"]}
            if page.body["next_cursor"] is None:
                return ids
            cursor = f"&cursor={page.body['next_cursor']}"

    async def create_package(self, package_id: str, profiles: int, **settings: Any) -> list[str]:
        """Create a package with simulator profiles and return the profiles' ids.

        By default it has no rest window, so that a test in real time passes at any hour of the day.
        """
        package = {"package_id": package_id, "name": package_id, "rest_window": None, **settings}
        created = await self.ask("POST", "/packages", package)
        assert created.status == 201, created.body
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

    async def _call(
        self, method: str, address: str, data: bytes | None, headers: Mapping[str, str], service: str = ""
    ) -> Response:
        """Call a service. An answer of the API must be as the document of the `service` says."""
        assert self._session is not None
        began = time.monotonic()
        stream = None if data is None else io.BytesIO(data)  # aiohttp warns about large bytes objects
        async with self._session.request(method, address, data=stream, headers=headers) as response:
            content = await response.read()
            seconds = time.monotonic() - began
            if service in DOCUMENTS:
                media_type = response.headers.get("Content-Type", "")
                documented(service).check(method, response.url.path, response.status, media_type, content)
            is_json = response.content_type.endswith(("/json", "+json"))
            body = json.loads(content) if is_json else content.decode()
            return Response(response.status, body, response.headers, seconds)


@dataclass
class ExtraProcess:
    """A process of a service that only the test starts and kills; `make up` does not supervise it."""

    system: RunningSystem
    name: str
    environment: Mapping[str, str]
    port: int
    log: Path
    _process: subprocess.Popen[bytes] | None = None
    _starting: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def start(self) -> None:
        await self.restart()
        await self.wait_ready()

    async def wait_ready(self) -> None:
        await eventually(self._is_ready, START_SECONDS)

    @property
    def pid(self) -> int:
        assert self._process is not None
        assert self._process.poll() is None, f"{self.name} does not run"
        return self._process.pid

    async def restart(self) -> None:
        """Start the process again without waiting until it is ready. It must not run."""
        async with self._starting:
            assert self._process is None or self._process.poll() is not None, f"{self.name} runs"
            self._process = await asyncio.to_thread(self._spawn)

    def _spawn(self) -> subprocess.Popen[bytes]:
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
    """Start a process that gets SIGTERM when the tests are killed.

    The kernel sends it when the thread that started the process ends: here a worker thread of the event loop.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, *arguments],
            env=dict(environment),
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent(signal.SIGTERM),
        )


@functools.cache
def documented(name: str) -> Conformance:
    """The answers of a service that its document permits."""
    return Conformance(json.loads(DOCUMENTS[name].read_text()))


def recipients(count: int, start: int = 0) -> list[str]:
    return [f"2015{number:08}" for number in range(start, start + count)]


def send_times(lines: list[dict[str, Any]]) -> list[datetime]:
    return sorted(datetime.fromisoformat(line["at"]) for line in lines)


WINDOWS = {"per_hour": timedelta(hours=1), "per_3_hours": timedelta(hours=3), "per_day": timedelta(days=1)}


def assert_within_limits(lines: list[dict[str, Any]], limits: Mapping[str, int | None]) -> set[str]:
    """Assert that no rolling window of one profile's ledger lines contains more sends than its limit.

    Returns the limits that were reached exactly: a limit that was never reached has not been tested.
    """
    sent, full = send_times(lines), set[str]()
    for name, window in WINDOWS.items():
        limit = limits[name]
        assert limit is not None
        assert not _any_window_has(sent, limit + 1, window), f"more than {limit} within {window}"
        if _any_window_has(sent, limit, window):
            full.add(name)
    return full


def _any_window_has(sent: list[datetime], count: int, window: timedelta) -> bool:
    """Whether any rolling window contains `count` sends."""
    return any(last - first < window for first, last in zip(sent, sent[count - 1 :], strict=False))
