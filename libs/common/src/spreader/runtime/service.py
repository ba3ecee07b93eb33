"""Service: a process made of parts, with its HTTP side: health, metrics, and whatever routes it adds."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from importlib.metadata import version
from typing import Any

import structlog
import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from spreader.runtime.component import Component
from spreader.settings import Settings
from spreader.telemetry.logging import configure_logs
from spreader.telemetry.metrics import BUILD, COMPONENT_NOT_READY

log = structlog.get_logger()

START_BACK_OFF_SECONDS = 1.0
STOP_PART_SECONDS = 25.0
HTTP_DRAIN_SECONDS = 5


class Service:
    """Starts the parts in order, behind an HTTP server that answers from the first moment; stops them in reverse."""

    def __init__(self, name: str, parts: Sequence[Component]) -> None:
        self.name = name
        self._parts = parts
        self._started: list[Component] = []
        self._starting: dict[str, str] = {}
        BUILD.labels(name, version("spreader")).set(1)

    def not_ready_reason(self) -> dict[str, str]:
        """What keeps the service from its work, by part; empty when it is ready."""
        waiting = {part.name: "not started yet" for part in self._parts if part not in self._started}
        running = {part.name: trouble for part in self._started if (trouble := part.not_ready_reason()) is not None}
        return {**waiting, **self._starting, **running}

    def is_live(self) -> bool:
        return all(part.is_live() for part in self._started)

    async def start(self) -> None:
        for part in self._parts:
            await self._start(part)
        log.info("ready", service=self.name)

    async def stop(self) -> None:
        for part in reversed(self._started):
            try:
                async with asyncio.timeout(STOP_PART_SECONDS):
                    await part.stop()
            except Exception as error:
                log.warning("a part did not stop cleanly", part=part.name, exc_info=error)
        self._started.clear()

    async def _start(self, part: Component) -> None:
        while True:
            try:
                await part.start()
            except (Exception, asyncio.CancelledError) as error:
                if _we_are_cancelled():  # else a library cancelled a task of its own, and it reached us
                    raise
                self._starting[part.name] = f"cannot start: {type(error).__name__}: {error}"
                log.warning("a part cannot start yet", part=part.name, error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(START_BACK_OFF_SECONDS)
            else:
                self._starting.pop(part.name, None)
                self._started.append(part)
                return

    def app(self, **arguments: Any) -> FastAPI:
        """The FastAPI application of the service; `arguments` are FastAPI's own (title, description, …)."""

        @contextlib.asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
            starting = asyncio.create_task(self.start())
            try:
                yield
            finally:
                starting.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await starting
                await self.stop()

        app = FastAPI(lifespan=lifespan, **arguments)
        app.add_api_route("/health/live", self._live, include_in_schema=False)
        app.add_api_route("/health/ready", self._ready, include_in_schema=False)
        app.add_api_route("/metrics", self._metrics, include_in_schema=False)
        return app

    async def _live(self) -> JSONResponse:
        alive = self.is_live()
        return JSONResponse({"status": "alive" if alive else "stuck"}, status_code=200 if alive else 503)

    async def _ready(self) -> JSONResponse:
        trouble = self.not_ready_reason()
        body = {"service": self.name, "status": "not ready" if trouble else "ready", "reasons": trouble}
        return JSONResponse(body, status_code=503 if trouble else 200)

    async def _metrics(self) -> Response:
        trouble = self.not_ready_reason()
        for part in self._parts:
            COMPONENT_NOT_READY.labels(part.name).set(part.name in trouble)
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def _we_are_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def run(app: FastAPI, settings: Settings, port: int) -> None:
    """Serve until SIGTERM or SIGINT; then drain."""
    configure_logs(settings.log_level)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=HTTP_DRAIN_SECONDS,
        server_header=False,
    )
    uvicorn.Server(config).run()
