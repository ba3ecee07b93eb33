"""Consent lists: suppressions and opt-ins. Every other service gets them from the ingress.

A change is first stored as unpublished, then published, and only then confirmed to the caller. So the change is in
Kafka before the caller's next request. `publish_left_over` publishes changes that a crash or an outage of Kafka left
unpublished.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import TextClause
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ingress.sql import consent as sql
from ingress.sql.spellings import MERGES
from spreader.clock import Now
from spreader.consent import objection
from spreader.contract.configuration import Package
from spreader.contract.events import ConsentChanged, ConsentKind
from spreader.erasure.postgres import ErasureTable
from spreader.http.problems import unavailable
from spreader.kafka.bus import Bus, PublishFailed
from spreader.phone.canonical import PersonKey, every_spelling, one_each, person_key, spellings
from spreader.runtime.loop import Loop
from spreader.runtime.postgres import autocommit
from spreader.runtime.rows import arrays, fetched
from spreader.runtime.sql_spelling_merge import spelling_loop

ERASURES = ErasureTable("ingress")
LEFT_OVER_MAX = 500
PUBLISHED_AT_ONCE = 100
"""How many changes are published at once, at most. Between two publications, the process can serve other requests."""
POLL_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ConsentListKey:
    """Names one list. `package_id` is `EVERYWHERE` if the list is for all packages."""

    package_id: str
    kind: ConsentKind

    @property
    def columns(self) -> dict[str, str]:
        return {"package_id": self.package_id, "kind": self.kind}


@dataclass(frozen=True, slots=True)
class ConsentLists:
    engine: AsyncEngine
    bus: Bus
    now: Now
    erasures: ErasureTable = ERASURES

    async def add(
        self,
        key: ConsentListKey,
        recipients: Sequence[str],
        source: str,
        evidence: str | None = None,
        since: datetime | None = None,
        reported_at: datetime | None = None,
    ) -> int:
        """Put the recipients on the list. Returns how many of them were not on it before. Numbers of one person count
        once.

        The same `evidence` puts a recipient on the list only once, even if the entry was removed since then. `since`:
        when the entry begins. None means now.

        `reported_at`: the time of the message or choice that a gateway's report is about. If the person was erased at
        this time or later, the recipient is not put on the list, unless the erasure kept suppressions.
        """
        added = [sql.AddedNumber(person_key(number), number) for number in one_each(recipients)]
        entry = {"now": self.now(), "source": source, "evidence": evidence}
        times = {"since": since, "reported_at": reported_at, "erasure_keys": self.erasures.keys}
        return await self._change(sql.ADD, key, recipients, {**arrays(sql.AddedNumber, added), **entry, **times})

    async def remove(self, key: ConsentListKey, recipient: str) -> bool:
        """Take the recipient off the list. Returns whether the recipient was on it."""
        return await self._change(sql.REMOVE, key, [recipient], {"now": self.now()}) > 0

    async def remove_gateway_entry(self, key: ConsentListKey, recipient: str, requested_at: datetime) -> bool:
        """Take the recipient off the list, because the recipient asked for this at `requested_at`.

        Only an entry that a gateway's report has made is removed, and only if it is not newer than the request. Returns
        whether the recipient was taken off.
        """
        entry = {"now": self.now(), "requested_at": requested_at}
        return await self._change(sql.REMOVE_GATEWAY_ENTRY, key, [recipient], entry) > 0

    async def follow(self, recipient: str, new_recipient: str, evidence: str) -> None:
        """Copy each suppression of a person's old number to the new number, with the source and the time."""
        async with self.engine.connect() as connection:
            rows = await connection.execute(sql.SUPPRESSIONS, {"recipients": list(spellings(recipient))})
            suppressions = fetched(sql.Suppression, rows)
        for each in suppressions:
            key = ConsentListKey(each.package_id, "suppression")
            await self.add(key, [new_recipient], each.source, evidence, each.since)

    async def is_erased(self, recipient: str, at: datetime) -> bool:
        """Whether the person was erased at this time or later."""
        async with autocommit(self.engine) as connection:
            return (await self.erasures.are_erased(connection, [(recipient, at)]))[0]

    async def page(
        self, key: ConsentListKey, after: str, limit: int, recipient: str | None
    ) -> Sequence[sql.ConsentListEntry]:
        searched = None if recipient is None else list(spellings(recipient))
        params = {**key.columns, "after": after, "limit": limit, "recipients": searched}
        async with self.engine.connect() as connection:
            return fetched(sql.ConsentListEntry, await connection.execute(sql.PAGE, params))

    async def objections(self, package: Package, parts: Sequence[Sequence[str]]) -> dict[str, str]:
        """The recipients whom the package must not write to now, each with the reason. One query checks all parts.
        Other requests run between two parts."""
        kinds: list[ConsentKind] = ["suppression", "opt_in"] if package.opted_in_only else ["suppression"]
        listed: dict[PersonKey, set[ConsentKind]] = defaultdict(set)
        numbers, reasons = list[str](), dict[str, str]()
        for part in parts:
            numbers += every_spelling(part)
            await asyncio.sleep(0)
        params = {"package_id": package.package_id, "recipients": numbers, "kinds": kinds}
        async with self.engine.connect() as connection:
            listings = fetched(sql.ConsentListing, await connection.execute(sql.LISTINGS, params))
        for listing in listings:
            listed[person_key(listing.recipient)].add(listing.kind)
        for part in parts:
            for recipient in part:
                reason = objection(listed.get(person_key(recipient), ()), package.opted_in_only)
                if reason is not None:
                    reasons[recipient] = reason
            await asyncio.sleep(0)
        return reasons

    def loops(self) -> tuple[Loop, ...]:
        return Loop("news of consent", self.publish_left_over), spelling_loop(self.engine, MERGES)

    async def publish_left_over(self) -> float:
        """Publish changes that have been unpublished for some seconds. Returns the seconds until the next run."""
        async with self.engine.begin() as connection:
            changes = fetched(sql.UnpublishedConsent, await connection.execute(sql.LEFT_OVER, {"limit": LEFT_OVER_MAX}))
            await self._publish(connection, changes)
        return 0.0 if changes else POLL_SECONDS

    async def _change(
        self, statement: TextClause, key: ConsentListKey, recipients: Sequence[str], entry: Mapping[str, Any]
    ) -> int:
        """Store a change, then publish it. Returns how many entries changed.

        Raises the problem `unavailable` if the change is stored, but not published yet.
        """
        of_persons = {**key.columns, "recipients": every_spelling(recipients)}
        async with self.engine.begin() as connection:
            changed = (await connection.execute(statement, {**of_persons, **entry})).rowcount
        try:
            async with self.engine.begin() as connection:
                # If another process is publishing the same rows, this query waits until they are published. Then it no
                # longer finds them.
                changes = fetched(sql.UnpublishedConsent, await connection.execute(sql.UNPUBLISHED, of_persons))
                await self._publish(connection, changes)
        except PublishFailed as error:
            raise unavailable(
                "Kafka did not accept the change of the list. What is stored takes effect when Kafka is available "
                "again. A long list may be stored only in part, so repeat the request."
            ) from error
        return changed

    async def _publish(self, connection: AsyncConnection, changes: Sequence[sql.UnpublishedConsent]) -> None:
        """Publish the changes and mark them as published.

        The caller has locked the rows of these changes. So no other process can publish a newer change of a recipient
        before an older one.
        """
        if changes:
            for start in range(0, len(changes), PUBLISHED_AT_ONCE):
                await self.bus.publish(*map(_event, changes[start : start + PUBLISHED_AT_ONCE]))
            await connection.execute(sql.MARK_PUBLISHED, arrays(sql.ConsentEntryKey, changes))


def _event(change: sql.UnpublishedConsent) -> ConsentChanged:
    return ConsentChanged(
        package_id=change.package_id,
        recipient=change.given or change.recipient,
        kind=change.kind,
        listed=change.listed,
        source=change.source,
        at=change.since,
    )
