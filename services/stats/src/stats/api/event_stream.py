"""Feed: what changes, told to whoever listens: server-sent events.

It tells states, not their history: a listener who is slow or was away gets the newest of each profile. So nothing has
to be kept for them, any instance can go on where another ended, and an id is no more than a moment.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Header
from fastapi.encoders import jsonable_encoder
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.clock import Clock
from spreader.contract.events import Alert, ProfileState
from spreader.http.problems import unavailable
from stats.api.alerts import WANTED, shown
from stats.api.reports import OfPackage
from stats.health.sql_alerts import STATES, list_alerts
from stats.metrics import LISTENERS

LISTENERS_MAX = 500
ALERTS_MAX = 1_000
GATHER_SECONDS = 0.2
KEEP_ALIVE_SECONDS = 15.0
LIFETIME_SECONDS = 15 * 60.0
RETRY_MS = 1_000
OVERLAP = timedelta(seconds=5)
"""Of real time. Told again after a reconnection: what was published then may not have come to everybody yet."""
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@dataclass(eq=False)
class _Listener:
    package_id: str | None
    states: dict[str, ProfileState] = field(default_factory=dict[str, ProfileState])
    alerts: set[str] = field(default_factory=set[str])
    """The profiles whose alerts have changed."""
    awake: asyncio.Event = field(default_factory=asyncio.Event)

    def cares(self, package_id: str) -> bool:
        return self.package_id in (None, package_id)


class EventStream:
    """`states` is live: the newest state of each profile. Give `on_state` and `on_alert` to the tables."""

    def __init__(self, engine: AsyncEngine, clock: Clock, lifetime_seconds: float = LIFETIME_SECONDS) -> None:
        self._engine = engine
        self._clock = clock
        self._lifetime_seconds = lifetime_seconds
        self._listeners: set[_Listener] = set()

    def router(self, states: Mapping[str, ProfileState]) -> APIRouter:
        async def events(
            package_id: OfPackage = None,
            last_event_id: Annotated[str | None, Header(description="Where another stream ended.")] = None,
        ) -> StreamingResponse:
            """Server-sent events: `profile` and `alert` as in the lists, and `ready` after the beginning."""
            if len(self._listeners) >= LISTENERS_MAX:
                raise unavailable(f"There are {LISTENERS_MAX} listeners already.")
            stream = self.stream(states, package_id, _moment(last_event_id))
            return StreamingResponse(stream, media_type="text/event-stream", headers=HEADERS)

        router = APIRouter(tags=["events"])
        router.add_api_route("/events", events, summary="Changes as they happen", response_class=StreamingResponse)
        return router

    def on_state(self, _: str, state: ProfileState | None) -> None:
        for listener in self._listeners if state is not None else ():
            if state is not None and listener.cares(state.package_id):
                listener.states[state.profile_id] = state
                listener.awake.set()

    def on_alert(self, _: str, alert: Alert | None) -> None:
        for listener in self._listeners if alert is not None else ():
            if alert is not None and listener.cares(alert.package_id):
                listener.alerts.add(alert.profile_id)
                listener.awake.set()

    async def stream(
        self, states: Mapping[str, ProfileState], package_id: str | None, since: datetime | None
    ) -> AsyncGenerator[bytes]:
        """`since`: the moment up to which the listener knows everything; None: it knows nothing."""
        listener = _Listener(package_id)
        self._listeners.add(listener)  # first: what changes from now on is not missed
        LISTENERS.set(len(self._listeners))
        ends = time.monotonic() + self._lifetime_seconds
        try:
            async for event in self._beginning(listener, states, since):
                yield event
            while (left := ends - time.monotonic()) > 0:
                yield await self._next(listener, min(left, KEEP_ALIVE_SECONDS))
        finally:
            self._listeners.discard(listener)
            LISTENERS.set(len(self._listeners))

    async def _beginning(
        self, listener: _Listener, states: Mapping[str, ProfileState], since: datetime | None
    ) -> AsyncGenerator[bytes]:
        now = self._clock()
        after = None if since is None else since - self._clock.system(OVERLAP)
        for state in list(states.values()):
            if listener.cares(state.package_id) and (after is None or state.at > after):
                yield _event("profile", state.model_dump(mode="json"), now)
        for alert in await self._alerts(listener.package_id, after, WANTED["open"] if after is None else STATES):
            yield _event("alert", alert, now)
        yield format_sse_event(data_str="{}", event="ready", id=now.isoformat(), retry=RETRY_MS)

    async def _next(self, listener: _Listener, seconds: float) -> bytes:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await listener.awake.wait()
        if not listener.awake.is_set():
            return format_sse_event(comment="keep-alive")
        await asyncio.sleep(GATHER_SECONDS)
        listener.awake.clear()
        now = self._clock()
        states, listener.states = listener.states, {}
        profiles, listener.alerts = listener.alerts, set()
        told = [_event("profile", state.model_dump(mode="json"), now) for state in states.values()]
        if profiles:
            recent = await self._alerts(listener.package_id, now - self._clock.system(2 * OVERLAP), STATES)
            told += [_event("alert", alert, now) for alert in recent if alert["profile_id"] in profiles]
        return b"".join(told)

    async def _alerts(self, package_id: str | None, after: datetime | None, states: Any) -> list[dict[str, Any]]:
        """As they are listed, the oldest first: the newest word about each comes last."""
        async with self._engine.connect() as connection:
            found = await list_alerts(connection, ALERTS_MAX, package_id, states=states, changed_after=after)
        return [jsonable_encoder(shown(each)) for each in reversed(found)]


def _event(kind: str, data: Any, now: datetime) -> bytes:
    return format_sse_event(data_str=json.dumps(data, separators=(",", ":")), event=kind, id=now.isoformat())


def _moment(event_id: str | None) -> datetime | None:
    """None also for what is no id of ours: then the listener is told everything."""
    try:
        moment = datetime.fromisoformat(event_id or "")
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
