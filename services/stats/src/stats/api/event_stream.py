"""Event stream: sends profile states and alerts as server-sent events when they change.

The stream contains states, not their history. A slow or returning listener gets only the newest state of each profile.
So nothing is stored for a listener, and an event's id is only a time. Any instance can continue another instance's
stream.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
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
from spreader.http.openapi import text_answer
from spreader.http.problems import unavailable
from spreader.runtime.postgres import autocommit
from stats.api.parameters import ALERT_STATES, OfPackage
from stats.api.representations import alert_json
from stats.health.sql_alerts import STATES, list_alerts
from stats.metrics import LISTENERS

LISTENERS_MAX = 500
ALERTS_MAX = 1_000
GATHER_SECONDS = 0.2
KEEP_ALIVE_SECONDS = 15.0
LIFETIME_SECONDS = 15 * 60.0
RETRY_MS = 1_000
OVERLAP = timedelta(seconds=5)
"""When a listener reconnects, the stream starts this much real time before the listener's last event, and repeats the
events since then. This is needed because the instance that continues the stream may have read some of these events
later than the first instance."""
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@dataclass(eq=False)
class _Listener:
    package_id: str | None
    states: dict[str, ProfileState] = field(default_factory=dict[str, ProfileState])
    profiles_with_alerts: set[str] = field(default_factory=set[str])
    """The profiles whose alerts have changed."""
    awake: asyncio.Event = field(default_factory=asyncio.Event)

    def wants(self, package_id: str) -> bool:
        return self.package_id in (None, package_id)


class EventStream:
    """`on_state` and `on_alert` are the callbacks of the compacted tables."""

    def __init__(self, engine: AsyncEngine, clock: Clock, lifetime_seconds: float = LIFETIME_SECONDS) -> None:
        self._engine = engine
        self._clock = clock
        self._lifetime_seconds = lifetime_seconds
        self._listeners: set[_Listener] = set()

    def router(self, states: Mapping[str, ProfileState]) -> APIRouter:
        """`states`: the live rows of the newest state of each profile."""

        async def events(
            package_id: OfPackage = None,
            last_event_id: Annotated[
                str | None, Header(description="The id of the last event of an earlier stream, to continue from.")
            ] = None,
        ) -> StreamingResponse:
            """Server-sent events. A `profile` or `alert` event has the form of an entry of its list. A `ready` event
            follows the initial events."""
            if len(self._listeners) >= LISTENERS_MAX:
                raise unavailable(f"There are {LISTENERS_MAX} listeners already.")
            stream = self.stream(states, package_id, _parse_time(last_event_id))
            return StreamingResponse(stream, media_type="text/event-stream", headers=HEADERS)

        router = APIRouter(tags=["events"])
        router.add_api_route(
            "/events",
            events,
            summary="Stream changes",
            response_class=StreamingResponse,
            responses={200: text_answer("event: ready\ndata: {}\n\n", "text/event-stream")},
        )
        return router

    def on_state(self, _: str, state: ProfileState | None) -> None:
        if state is None:
            return
        for listener in self._listeners:
            if listener.wants(state.package_id):
                listener.states[state.profile_id] = state
                listener.awake.set()

    def on_alert(self, _: str, alert: Alert | None) -> None:
        if alert is None:
            return
        for listener in self._listeners:
            if listener.wants(alert.package_id):
                listener.profiles_with_alerts.add(alert.profile_id)
                listener.awake.set()

    async def stream(
        self, states: Mapping[str, ProfileState], package_id: str | None, since: datetime | None
    ) -> AsyncGenerator[bytes]:
        """The events of one listener. `since`: the time up to which the listener has all events. None: the listener has
        no events yet."""
        listener = _Listener(package_id)
        self._listeners.add(listener)  # before the initial events, so that no change in between is missed
        LISTENERS.set(len(self._listeners))
        ends = time.monotonic() + self._lifetime_seconds
        try:
            async for event in self._initial_events(listener, states, since):
                yield event
            while (left := ends - time.monotonic()) > 0:
                yield await self._next_events(listener, min(left, KEEP_ALIVE_SECONDS))
        finally:
            self._listeners.discard(listener)
            LISTENERS.set(len(self._listeners))

    async def _initial_events(
        self, listener: _Listener, states: Mapping[str, ProfileState], since: datetime | None
    ) -> AsyncGenerator[bytes]:
        now = self._clock()
        after = None if since is None else since - self._clock.system(OVERLAP)
        for state in list(states.values()):
            if listener.wants(state.package_id) and (after is None or state.at > after):
                yield _event("profile", state.model_dump(mode="json"), now)
        alert_states = ALERT_STATES["open"] if after is None else STATES
        for alert in await self._alerts(listener.package_id, after, alert_states):
            yield _event("alert", alert, now)
        yield format_sse_event(data_str="{}", event="ready", id=now.isoformat(), retry=RETRY_MS)

    async def _next_events(self, listener: _Listener, seconds: float) -> bytes:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await listener.awake.wait()
        if not listener.awake.is_set():
            return format_sse_event(comment="keep-alive")
        await asyncio.sleep(GATHER_SECONDS)
        listener.awake.clear()
        now = self._clock()
        states, listener.states = listener.states, {}
        profiles, listener.profiles_with_alerts = listener.profiles_with_alerts, set()
        events = [_event("profile", state.model_dump(mode="json"), now) for state in states.values()]
        if profiles:
            recent = await self._alerts(listener.package_id, now - self._clock.system(2 * OVERLAP), STATES)
            events += [_event("alert", alert, now) for alert in recent if alert["profile_id"] in profiles]
        return b"".join(events)

    async def _alerts(
        self, package_id: str | None, after: datetime | None, states: Sequence[str]
    ) -> list[dict[str, Any]]:
        """The alerts that have changed after `after`, the oldest first, so that the newest state of each alert comes
        last."""
        async with autocommit(self._engine) as connection:
            alerts = await list_alerts(connection, ALERTS_MAX, package_id, states=states, changed_after=after)
        return [jsonable_encoder(alert_json(alert)) for alert in reversed(alerts)]


def _event(kind: str, data: Any, now: datetime) -> bytes:
    return format_sse_event(data_str=json.dumps(data, separators=(",", ":")), event=kind, id=now.isoformat())


def _parse_time(event_id: str | None) -> datetime | None:
    """The time in an event id. None: the id is missing or has another form, so the listener gets everything."""
    try:
        at = datetime.fromisoformat(event_id or "")
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
