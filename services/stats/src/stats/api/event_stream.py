"""Event stream: sends profile states and alerts as server-sent events when they change.

The stream contains states, not their history. A slow or returning listener gets only the newest state of each profile.
So nothing is stored for a listener. The id of an event has all that another instance needs to continue the stream: a
time for the profile states, and a position for the alerts.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Header
from fastapi.encoders import jsonable_encoder
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.clock import Now
from spreader.contract.events import Alert, ProfileState
from spreader.http.openapi import text_answer
from spreader.http.problems import unavailable
from spreader.runtime.postgres import autocommit
from stats.api.parameters import OfPackage
from stats.api.representations import alert_json
from stats.api.stream_place import StreamPlace
from stats.core.alerts import StoredAlert
from stats.health.sql_alerts import alerts_after, last_position, list_alerts
from stats.metrics import LISTENERS

LISTENERS_MAX = 500
ALERTS_AT_ONCE = 1_000
GATHER_SECONDS = 0.2
KEEP_ALIVE_SECONDS = 15.0
LIFETIME_SECONDS = 15 * 60.0
RETRY_MS = 1_000
OVERLAP = timedelta(seconds=5)
"""A listener that reconnects also gets the states that this instance read shortly before the listener's last event: at
most this much real time before it. They are repeated because another instance may have sent that event. The other
instance may have read these states later than this one."""
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@dataclass(eq=False)
class _Listener:
    package_id: str | None
    place: StreamPlace
    """Up to here the listener has everything."""
    states: dict[str, ProfileState] = field(default_factory=dict[str, ProfileState])
    has_alerts: bool = False
    """Whether an alert was published since this listener last read alerts."""
    awake: asyncio.Event = field(default_factory=asyncio.Event)

    def wants(self, package_id: str) -> bool:
        return self.package_id in (None, package_id)


class EventStream:
    """The compacted tables call `on_state` and `on_alert` for each record that they read. `overlap`: `OVERLAP` in
    system time."""

    def __init__(
        self, engine: AsyncEngine, now: Now, overlap: timedelta, lifetime_seconds: float = LIFETIME_SECONDS
    ) -> None:
        self._engine = engine
        self._now = now
        self._overlap = overlap
        self._lifetime_seconds = lifetime_seconds
        self._listeners: set[_Listener] = set()
        self._read_at: dict[str, datetime] = {}
        """When this instance read the newest state of each profile. A state may be read much later than it was
        computed, for example after an outage of Kafka."""

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
            stream = self.stream(states, package_id, StreamPlace.parse(last_event_id))
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

    def on_state(self, profile_id: str, state: ProfileState | None) -> None:
        if state is None:
            self._read_at.pop(profile_id, None)
            return
        self._read_at[profile_id] = self._now()
        for listener in self._listeners:
            if listener.wants(state.package_id):
                listener.states[state.profile_id] = state
                listener.awake.set()

    def on_alert(self, _: str, alert: Alert | None) -> None:
        if alert is None:
            return
        for listener in self._listeners:
            if listener.wants(alert.package_id):
                listener.has_alerts = True
                listener.awake.set()

    async def stream(
        self, states: Mapping[str, ProfileState], package_id: str | None, since: StreamPlace | None
    ) -> AsyncGenerator[bytes]:
        """The events of one listener. `since`: the place up to which the listener has all events. None: the listener
        has no events yet."""
        listener = _Listener(package_id, since or StreamPlace(self._now(), 0))
        self._listeners.add(listener)  # before the initial events, so that no change in between is missed
        LISTENERS.set(len(self._listeners))
        ends = time.monotonic() + self._lifetime_seconds
        try:
            async for event in self._beginning(listener, states, since):
                yield event
            yield format_sse_event(data_str="{}", event="ready", id=listener.place.text, retry=RETRY_MS)
            while (left := ends - time.monotonic()) > 0:
                async for event in self._next_events(listener, min(left, KEEP_ALIVE_SECONDS)):
                    yield event
        finally:
            self._listeners.discard(listener)
            LISTENERS.set(len(self._listeners))

    async def _beginning(
        self, listener: _Listener, states: Mapping[str, ProfileState], since: StreamPlace | None
    ) -> AsyncGenerator[bytes]:
        async with autocommit(self._engine) as connection:
            last = await last_position(connection)
        if since is not None and since.position <= last:
            async for event in self._changes(listener, states, since):
                yield event
            return
        # A position above `last` is from an earlier database, so this listener gets everything too.
        listener.place = StreamPlace(self._now(), last)
        async for event in self._everything(listener, states):
            yield event

    async def _everything(self, listener: _Listener, states: Mapping[str, ProfileState]) -> AsyncGenerator[bytes]:
        """All states and the open alerts, the oldest alert first. These events have no id, so a listener whose
        connection breaks here gets everything again."""
        for state in list(states.values()):
            if listener.wants(state.package_id):
                yield _event("profile", _state(state), None)
        for alert in await self._open_alerts(listener.package_id):
            yield _event("alert", _alert(alert), None)

    async def _changes(
        self, listener: _Listener, states: Mapping[str, ProfileState], since: StreamPlace
    ) -> AsyncGenerator[bytes]:
        """What has changed since the listener's last event."""
        now, after = self._now(), since.at - self._overlap
        async for event in self._new_alerts(listener):
            yield event
        for state in list(states.values()):
            if listener.wants(state.package_id) and self._read_at.get(state.profile_id, now) > after:
                yield _event("profile", _state(state), listener.place)
        listener.place = StreamPlace(now, listener.place.position)

    async def _next_events(self, listener: _Listener, seconds: float) -> AsyncGenerator[bytes]:
        """Wait for events, and return them: first alerts, then states. The id of an alert still has the time of the
        previous event. So a listener whose connection breaks after an alert gets the states when it returns."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await listener.awake.wait()
        if not listener.awake.is_set():
            yield format_sse_event(comment="keep-alive")
            return
        await asyncio.sleep(GATHER_SECONDS)
        listener.awake.clear()
        now = self._now()
        states, listener.states = listener.states, {}
        if listener.has_alerts:
            listener.has_alerts = False
            async for event in self._new_alerts(listener):
                yield event
        listener.place = StreamPlace(now, listener.place.position)
        if states:
            yield b"".join(_event("profile", _state(state), listener.place) for state in states.values())

    async def _new_alerts(self, listener: _Listener) -> AsyncGenerator[bytes]:
        """The alerts that were published after the listener's position, however late they were published."""
        while True:
            async with autocommit(self._engine) as connection:
                alerts = await alerts_after(connection, listener.place.position, listener.package_id, ALERTS_AT_ONCE)
            for alert in alerts:
                listener.place = StreamPlace(listener.place.at, alert.position)
                yield _event("alert", _alert(alert), listener.place)
            if len(alerts) < ALERTS_AT_ONCE:
                return

    async def _open_alerts(self, package_id: str | None) -> list[StoredAlert]:
        alerts: list[StoredAlert] = []
        async with autocommit(self._engine) as connection:
            while True:
                before = alerts[-1].alert_id if alerts else None
                page = await list_alerts(connection, ALERTS_AT_ONCE, package_id, state="open", before=before)
                alerts += page
                if len(page) < ALERTS_AT_ONCE:
                    return alerts[::-1]


def _state(state: ProfileState) -> Any:
    return state.model_dump(mode="json")


def _alert(alert: StoredAlert) -> Any:
    return jsonable_encoder(alert_json(alert))


def _event(kind: str, data: Any, place: StreamPlace | None) -> bytes:
    content = json.dumps(data, separators=(",", ":"))
    return format_sse_event(data_str=content, event=kind, id=None if place is None else place.text)
