"""Person: what the system knows about a phone number. Router and pacer are asked for what only they know."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine
from typing_extensions import TypedDict

from ingress.core.status import STATUSES
from ingress.sql import erasures as sql
from ingress.sql.erasures import KnownConsent, KnownDeliveries
from spreader.contract.answers import KnownConversation, KnownReading
from spreader.contract.events import Status
from spreader.http.service_client import ServiceClient, ServiceResponse, ServiceUnavailable
from spreader.phone.canonical import spellings
from spreader.runtime.postgres import autocommit
from spreader.runtime.rows import fetched


class ListingBody(TypedDict):
    """A list that has the number. `package_id` is `*` for all packages. `source`: who put the number there."""

    package_id: str
    since: datetime
    source: str


class PersonDeliveries(TypedDict):
    """`first_at`: when the first message was accepted. `last_at`: when a delivery last changed."""

    total: int
    counts: dict[Status, int]
    first_at: datetime | None
    last_at: datetime | None


class PersonBody(TypedDict):
    """What is known about a person. `conversations` or `reading` is null if its service does not answer.
    `unavailable` names the service, and why."""

    recipient: str
    suppressions: list[ListingBody]
    opt_ins: list[ListingBody]
    deliveries: PersonDeliveries
    conversations: list[KnownConversation] | None
    reading: list[KnownReading] | None
    unavailable: dict[str, str]


@dataclass(frozen=True, slots=True)
class KnownPerson:
    engine: AsyncEngine
    router: ServiceClient
    pacer: ServiceClient

    async def describe(self, recipient: str) -> PersonBody:
        """Everything that is known about the number, in each of its forms."""
        params = {"numbers": list(spellings(recipient))}
        async with autocommit(self.engine) as connection:
            consents = fetched(KnownConsent, await connection.execute(sql.KNOWN_CONSENTS, params))
            deliveries = fetched(KnownDeliveries, await connection.execute(sql.KNOWN_DELIVERIES, params))
        routed, paced = await asyncio.gather(
            self.router.query(f"/recipients/{recipient}"), self.pacer.query(f"/recipients/{recipient}")
        )
        answers = {"router": routed, "pacer": paced}
        return {
            "recipient": recipient,
            "suppressions": _lists(consents, "suppression"),
            "opt_ins": _lists(consents, "opt_in"),
            "deliveries": _deliveries(deliveries),
            "conversations": _part(routed, "conversations"),
            "reading": _part(paced, "reading"),
            "unavailable": {name: reason for name, answer in answers.items() if (reason := _reason(answer))},
        }


def _part(answer: ServiceResponse, name: str) -> Any:
    return None if isinstance(answer, ServiceUnavailable) else (answer or {}).get(name, [])


def _reason(answer: ServiceResponse) -> str | None:
    return answer.reason if isinstance(answer, ServiceUnavailable) else None


def _lists(consents: Sequence[KnownConsent], kind: str) -> list[ListingBody]:
    return [
        {"package_id": consent.package_id, "since": consent.since, "source": consent.source}
        for consent in consents
        if consent.kind == kind
    ]


def _deliveries(known: Sequence[KnownDeliveries]) -> PersonDeliveries:
    counts = {row.status: row.deliveries for row in known}
    return {
        "total": sum(counts.values()),
        "counts": {status: counts.get(status, 0) for status in STATUSES},
        "first_at": min((row.first_at for row in known), default=None),
        "last_at": max((row.last_at for row in known), default=None),
    }
