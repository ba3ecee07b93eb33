"""Known events: a compacted table that is also stored in the pacer's database schema. So the pacer forgets no event,
and never goes back to an older one.

After Kafka was set up again, or while it cannot be reached, the pacer can read fewer events than pacers have read
before. It then decides by the events that are stored. A record with an older version than the stored one changes
nothing. A tombstone (a record that deletes a key) changes nothing either.
"""

from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pacer.sql import known_events as sql
from pacer.sql.known_events import KnownEvent, KnownVersion
from spreader.contract.configuration import Package
from spreader.contract.events import Event, PackageConfigured, ProfileState, Windows
from spreader.kafka.table import Table
from spreader.runtime.rows import arrays, fetched
from spreader.settings import Settings

E = TypeVar("E", bound=Event)

SAVED_AT_ONCE_MAX = 200


@dataclass(frozen=True, slots=True)
class Storing(Generic[E]):
    """How the events of one topic are stored."""

    slim: Callable[[E], E]
    """Returns the event without the parts that the pacer does not need."""
    essence: Callable[[E], Hashable]
    """Returns the part of the event that the pacer decides by. An event is stored again only when this part has
    changed."""


class KnownEvents(Table[E]):
    """A component that starts after the Postgres component, because it reads the stored events before it reads the
    topic."""

    def __init__(self, settings: Settings, kind: type[E], engine: AsyncEngine, storing: Storing[E]) -> None:
        super().__init__(settings, kind, self._on_record)
        self._engine = engine
        self._storing = storing
        self._on_event: Callable[[str, E], None] = _ignore
        self._stored: dict[str, Hashable] = {}
        self._unsaved: set[str] = set()
        self._from_kafka: set[str] = set()

    def follow(self, on_event: Callable[[str, E], None]) -> None:
        """Call `on_event` for each event that is read, stored ones included."""
        self._on_event = on_event

    def is_read(self, key: str) -> bool:
        """Whether this process has read the event from Kafka. If not, it knows the event only from the pacer's database
        schema."""
        return key in self._from_kafka

    async def start(self) -> None:
        async with self._engine.connect() as connection:
            rows = fetched(KnownEvent, await connection.execute(sql.ALL, {"topic": self._kind.topic}))
        self._take_stored(rows)
        await super().start()

    def drop(self, key: str) -> None:
        """Handle a tombstone. The event stays known, but no longer counts as read from Kafka."""
        self._from_kafka.discard(key)

    async def save(self) -> None:
        """Store the events that were read since the last call."""
        while self._unsaved:
            keys = sorted(self._unsaved)[:SAVED_AT_ONCE_MAX]
            self._unsaved.difference_update(keys)
            rows = {key: self.rows[key] for key in keys}
            try:
                async with self._engine.begin() as connection:
                    events = [self._row(key, event) for key, event in rows.items()]
                    params = {"topic": self._kind.topic, **arrays(KnownEvent, events)}
                    await connection.execute(sql.SAVE, params)
            except BaseException:
                self._unsaved.update(keys)
                raise
            self._stored.update({key: self._storing.essence(event) for key, event in rows.items()})

    async def refresh(self, connection: AsyncConnection, keys: Collection[str]) -> None:
        """Take over newer versions of these events, which other pacers have read and stored."""
        versions = [KnownVersion(key, _version(self.rows[key]) if key in self.rows else -1) for key in sorted(keys)]
        params = {"topic": self._kind.topic, **arrays(KnownVersion, versions)}
        self._take_stored(fetched(KnownEvent, await connection.execute(sql.NEWER, params)))

    def _take_stored(self, rows: Collection[KnownEvent]) -> None:
        for row in rows:
            event = self._kind.model_validate_json(row.event)
            self._stored[row.key] = self._storing.essence(event)
            if self.replace(row.key, event):
                self._on_event(row.key, event)

    def _on_record(self, key: str, event: E | None) -> None:
        if event is None:
            return
        self._from_kafka.add(key)
        self.note(key, event)
        self._on_event(key, event)

    def note(self, key: str, event: E) -> None:
        """Let the next `save` store the event, if its essence differs from that of the stored event."""
        if self._stored.get(key) != self._storing.essence(event):
            self._unsaved.add(key)

    def _row(self, key: str, event: E) -> KnownEvent:
        body = self._storing.slim(event).model_dump_json(exclude_none=not event.nulls_travel)
        return KnownEvent(key, _version(event), body)


def _ignore(_: str, __: Event) -> None:
    """Does nothing. This is the callback until `follow` sets another one."""


def _version(event: Event) -> int:
    return event.row_version or 0


def _slim_package(event: PackageConfigured) -> PackageConfigured:
    """The event without credentials."""
    profiles = tuple(
        profile.model_copy(update={"gateway": profile.gateway.model_copy(update={"sealed": None})})
        for profile in event.package.profiles
    )
    package: Package = event.package.model_copy(update={"profiles": profiles})
    return event.model_copy(update={"package": package})


def _slim_state(event: ProfileState) -> ProfileState:
    return event.model_copy(update={"windows": Windows(), "health": None, "risks": ()})


PACKAGES = Storing(_slim_package, lambda event: event.package.version)
STATES = Storing(_slim_state, lambda event: (event.package_id, event.open, event.limit_factor))


@dataclass(frozen=True, slots=True)
class KnownConfiguration:
    """The packages and the profile states that the pacer decides by."""

    packages: KnownEvents[PackageConfigured]
    states: KnownEvents[ProfileState]

    async def save(self) -> None:
        await self.packages.save()
        await self.states.save()
