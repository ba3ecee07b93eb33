"""Known events: the statements that store and find the events that pacers have read from compacted topics."""

from dataclasses import dataclass

from sqlalchemy import text

from spreader.runtime.rows import columns, unnest


@dataclass(frozen=True, slots=True)
class KnownEvent:
    """`version`: 0 for an event without versions. `event`: its body as JSON."""

    key: str
    version: int
    event: str


@dataclass(frozen=True, slots=True)
class KnownVersion:
    key: str
    version: int


ALL = text(f"SELECT {columns(KnownEvent)} FROM pacer.known_event WHERE topic = :topic")
NEWER = text(f"""
SELECT known_event.key, known_event.version, known_event.event
FROM pacer.known_event JOIN {unnest(KnownVersion, "read")} USING (key)
WHERE topic = :topic AND known_event.version > read.version""")
SAVE = text(f"""
INSERT INTO pacer.known_event AS known (topic, key, version, event)
SELECT :topic, key, version, event FROM {unnest(KnownEvent, "read")} ORDER BY key
ON CONFLICT (topic, key) DO UPDATE SET version = excluded.version, event = excluded.event
WHERE known.version <= excluded.version""")
