"""Possible opt-outs: the list of people whose messages probably ask for no more messages. An operator decides."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.consent.consent_lists import ConsentListKey, ConsentLists
from ingress.metrics import POSSIBLE_OPT_OUTS, UNDECIDED_OPT_OUTS
from ingress.sql import possible_opt_outs as sql
from ingress.sql.possible_opt_outs import PossibleOptOut
from spreader.phone.canonical import person_key
from spreader.runtime.postgres import autocommit
from spreader.runtime.rows import fetched

COUNT_EVERY_SECONDS = 60.0
SOURCE = "possible_opt_out"


@dataclass(frozen=True, slots=True)
class PossibleOptOuts:
    engine: AsyncEngine
    consents: ConsentLists

    async def note(
        self, package_id: str, profile_id: str, recipient: str, text: str, evidence: str, at: datetime
    ) -> None:
        """Put a person on the list. `evidence` identifies the message, so that a repeated report has no effect."""
        params = {"package_id": package_id, "profile_id": profile_id, "recipient": person_key(recipient)}
        message = {"text": text, "evidence": evidence, "at": at, "erasure_keys": self.consents.erasures.keys}
        async with autocommit(self.engine) as connection:
            noted = await connection.execute(sql.NOTE, {**params, **message})
        POSSIBLE_OPT_OUTS.labels("listed").inc(noted.rowcount)

    async def page(self, package_id: str, after: str, limit: int) -> Sequence[PossibleOptOut]:
        params = {"package_id": package_id, "after": after, "limit": limit}
        async with self.engine.connect() as connection:
            return fetched(PossibleOptOut, await connection.execute(sql.PAGE, params))

    async def suppress(self, package_id: str, recipient: str) -> bool:
        """Suppress the person. Returns False if the person is not on the list.

        First the suppression is published. Then the entry leaves the list of possible opt-outs. If the second step
        fails, the caller can repeat the call.
        """
        evidence = await self._evidence(package_id, recipient)
        if evidence is None:
            return False
        key = ConsentListKey(package_id, "suppression")
        await self.consents.add(key, [person_key(recipient)], SOURCE, evidence)
        await self._decide(package_id, recipient, evidence, "suppressed")
        return True

    async def dismiss(self, package_id: str, recipient: str) -> bool:
        """Take the person off the list. Returns False if the person is not on the list. The next message that probably
        asks for an end puts the person on the list again."""
        evidence = await self._evidence(package_id, recipient)
        if evidence is None:
            return False
        await self._decide(package_id, recipient, evidence, "dismissed")
        return True

    async def count(self) -> float:
        """Count the people on the lists, for the metric. Returns the seconds until the next run."""
        async with autocommit(self.engine) as connection:
            UNDECIDED_OPT_OUTS.set((await connection.execute(sql.COUNT_OPEN)).scalar_one())
        return COUNT_EVERY_SECONDS

    async def _evidence(self, package_id: str, recipient: str) -> str | None:
        params = {"package_id": package_id, "recipient": person_key(recipient)}
        async with self.engine.connect() as connection:
            return (await connection.execute(sql.OPEN_ENTRY, params)).scalar_one_or_none()

    async def _decide(
        self, package_id: str, recipient: str, evidence: str, decision: Literal["suppressed", "dismissed"]
    ) -> None:
        params = {"package_id": package_id, "recipient": person_key(recipient), "evidence": evidence}
        async with autocommit(self.engine) as connection:
            decided = await connection.execute(sql.DECIDE, {**params, "decision": decision})
        POSSIBLE_OPT_OUTS.labels(decision).inc(decided.rowcount)
