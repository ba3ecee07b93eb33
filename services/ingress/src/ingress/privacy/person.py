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
from ingress.sql.erasures import KnownConsent, KnownDeliveries, KnownHiddenId, KnownPossibleOptOut
from spreader.contract.answers import KnownConversation, KnownReading
from spreader.contract.events import Status
from spreader.http.service_client import ServiceClient, ServiceResponse, ServiceUnavailable
from spreader.phone.canonical import spellings
from spreader.runtime.postgres import autocommit
from spreader.runtime.rows import fetched


class ListingBody(TypedDict):
    """A suppression or opt-in list that contains the number. `package_id` is `*` for the list of all packages.
    `source`: who put the number on the list."""

    package_id: str
    since: datetime
    source: str


class KnownWordsBody(TypedDict):
    """A message in which the person may have asked for no more messages. `decision` is null until an operator has
    decided."""

    package_id: str
    profile_id: str
    text: str
    at: datetime
    decision: str | None


class KnownHiddenIdBody(TypedDict):
    """An id under which the person writes to a profile without showing the number."""

    profile_id: str
    hidden_id: str


class PersonDeliveries(TypedDict):
    """`first_at`: when the first message was accepted. `last_at`: when a delivery last changed."""

    total: int
    counts: dict[Status, int]
    first_at: datetime | None
    last_at: datetime | None


class PersonBody(TypedDict):
    """What is known about a person. `conversations` is null if the router does not answer. `reading` is null if the
    pacer does not answer. `unavailable`: for each service that does not answer, the reason."""

    recipient: str
    suppressions: list[ListingBody]
    opt_ins: list[ListingBody]
    possible_opt_outs: list[KnownWordsBody]
    hidden_ids: list[KnownHiddenIdBody]
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
        """Everything that is known about the person. In some countries, WhatsApp may know the number in two forms. Both
        are searched."""
        params = {"numbers": list(spellings(recipient))}
        async with autocommit(self.engine) as connection:
            consents = fetched(KnownConsent, await connection.execute(sql.KNOWN_CONSENTS, params))
            words = fetched(KnownPossibleOptOut, await connection.execute(sql.KNOWN_POSSIBLE_OPT_OUTS, params))
            hidden = fetched(KnownHiddenId, await connection.execute(sql.KNOWN_HIDDEN_IDS, params))
            deliveries = fetched(KnownDeliveries, await connection.execute(sql.KNOWN_DELIVERIES, params))
        routed, paced = await asyncio.gather(
            self.router.query(f"/recipients/{recipient}"), self.pacer.query(f"/recipients/{recipient}")
        )
        answers = {"router": routed, "pacer": paced}
        return {
            "recipient": recipient,
            "suppressions": _lists(consents, "suppression"),
            "opt_ins": _lists(consents, "opt_in"),
            "possible_opt_outs": [
                {
                    "package_id": each.package_id,
                    "profile_id": each.profile_id,
                    "text": each.text,
                    "at": each.at,
                    "decision": each.decision,
                }
                for each in words
            ],
            "hidden_ids": [{"profile_id": each.profile_id, "hidden_id": each.hidden_id} for each in hidden],
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
