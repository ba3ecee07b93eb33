"""Service: a process made of components, with an HTTP server for health, metrics and its own routes."""

import asyncio
import contextlib
import faulthandler
import math
import time
from collections.abc import AsyncGenerator, Sequence
from importlib.metadata import version
from types import FrameType
from typing import Any

import structlog
import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import ASGIApp

from spreader.runtime.cancellation import is_cancelled
from spreader.runtime.collector import spare_the_start
from spreader.runtime.component import Component, FailureReporter
from spreader.runtime.loop_watch import LoopWatch
from spreader.runtime.stalled_reader import protocol_with_stall_limit
from spreader.settings import Settings
from spreader.telemetry.logging import configure_logs
from spreader.telemetry.metrics import BUILD, COMPONENT_NOT_READY, FAILING_WORK
from spreader.telemetry.request_id import RequestIds

log = structlog.get_logger()

START_BACK_OFF_SECONDS = 1.0
STOP_SECONDS = 25.0
STOP_COMPONENT_SECONDS = 1.0
"""Each component has at least this long to stop, even if the others have used up `STOP_SECONDS`."""
HTTP_DRAIN_SECONDS = 5
TICK_SECONDS = 1.0
"""How often the HTTP server sets the time of its `Date` header."""
EXIT_SECONDS = 38.0
"""A process ends itself if it still runs this long after its stop signal (docker-compose.yml waits for 40 s)."""


class Service:
    """Starts its components in order while the HTTP server already responds, and stops them in reverse order."""

    def __init__(self, name: str, components: Sequence[Component]) -> None:
        self.name = name
        self._components = components
        self._started: list[Component] = []
        self._starting: dict[str, str] = {}
        self._failed_before: set[str] = set()
        for component in components:
            if isinstance(component, FailureReporter):
                FAILING_WORK.labels(component.name).set(0)
        BUILD.labels(name, version("spreader")).set(1)

    def not_ready_reasons(self) -> dict[str, str]:
        """The name of each component that is not ready, and the reason. Empty: the service is ready."""
        reasons: dict[str, str] = {}
        for component in self._components:
            reason = component.not_ready_reason()
            if component not in self._started:
                error = self._starting.get(component.name)
                reason = "; trying again: ".join(filter(None, (error, reason))) or "not started yet"
            if reason is not None:
                reasons[component.name] = reason
        return reasons

    def failing(self) -> dict[str, str]:
        """The work that keeps failing although the service is ready for other work: each name with its last error."""
        reporters = (component for component in self._started if isinstance(component, FailureReporter))
        return {name: report for reporter in reporters for name, report in reporter.failing().items()}

    def is_live(self) -> bool:
        return all(component.is_live() for component in self._started)

    async def start(self) -> None:
        for component in self._components:
            await self._start(component)
        log.info("ready", service=self.name)

    async def stop(self) -> None:
        until = time.monotonic() + STOP_SECONDS
        for component in reversed(self._started):
            try:
                async with asyncio.timeout(max(until - time.monotonic(), STOP_COMPONENT_SECONDS)):
                    await component.stop()
            except Exception as error:
                log.warning("a component failed to stop; stopping the others", part=component.name, exc_info=error)
        self._started.clear()

    async def _start(self, component: Component) -> None:
        while True:
            try:
                await component.start()
            except (Exception, asyncio.CancelledError) as error:
                if is_cancelled():
                    raise
                description = f"{type(error).__name__}: {error}"
                self._starting[component.name] = f"cannot start: {description}"
                log.warning("a component cannot start; trying again", part=component.name, error=description)
                await asyncio.sleep(START_BACK_OFF_SECONDS)
            else:
                self._starting.pop(component.name, None)
                self._started.append(component)
                return

    def app(self, **arguments: Any) -> FastAPI:
        """The FastAPI application of the service. `arguments` are FastAPI's own (title, description, …)."""

        async def start() -> None:
            await self.start()
            app.state.when_ready()

        @contextlib.asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
            watch = LoopWatch()
            watch.start()
            starting = asyncio.create_task(start())
            try:
                yield
            finally:
                watch.stop()
                starting.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await starting
                await self.stop()

        app = _App(lifespan=lifespan, **arguments)
        app.state.when_ready = _nothing
        app.add_api_route("/health/live", self._live, include_in_schema=False)
        app.add_api_route("/health/ready", self._ready, include_in_schema=False)
        app.add_api_route("/metrics", self._metrics, include_in_schema=False)
        return app

    async def _live(self) -> JSONResponse:
        is_live = self.is_live()
        return JSONResponse({"status": "alive" if is_live else "stuck"}, status_code=200 if is_live else 503)

    async def _ready(self) -> JSONResponse:
        reasons = self.not_ready_reasons()
        body = {
            "service": self.name,
            "status": "not ready" if reasons else "ready",
            "reasons": reasons,
            "failing": self.failing(),
        }
        return JSONResponse(body, status_code=503 if reasons else 200)

    async def _metrics(self) -> Response:
        reasons = self.not_ready_reasons()
        for component in self._components:
            COMPONENT_NOT_READY.labels(component.name).set(component.name in reasons)
        failing = self.failing()
        for name in {*self._failed_before, *failing}:
            FAILING_WORK.labels(name).set(name in failing)
        self._failed_before.update(failing)
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


class _App(FastAPI):
    def build_middleware_stack(self) -> ASGIApp:
        """Puts the request id around everything, because Starlette answers 500 outside all added middleware."""
        return RequestIds(super().build_middleware_stack())


def _nothing() -> None:
    """The default of `when_ready`. Tests keep it, because they share one process whose objects must all be
    collected."""


class _Server(uvicorn.Server):
    """After the stop signal, a thread of the interpreter ends the process if it still runs after `EXIT_SECONDS`."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._signalled = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def main_loop(self) -> None:
        """Looks whether the server shall stop: once a second, and when a signal arrives. uvicorn itself looks ten times
        a second."""
        self._loop = asyncio.get_running_loop()
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_SECONDS):
                    await self._signalled.wait()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        faulthandler.dump_traceback_later(EXIT_SECONDS, exit=True)
        super().handle_exit(sig, frame)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._signalled.set)


def run(app: FastAPI, settings: Settings, port: int) -> None:
    """Serve until SIGTERM or SIGINT. Then finish open requests and stop the components, within `EXIT_SECONDS`."""
    configure_logs(settings.log_level)
    app.state.when_ready = spare_the_start
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=HTTP_DRAIN_SECONDS,
        server_header=False,
        timeout_keep_alive=math.ceil(settings.keep_alive_seconds),
        http=protocol_with_stall_limit(settings.response_stall_seconds),
    )
    _Server(config).run()
