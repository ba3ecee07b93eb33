"""Endpoints: the router's own small HTTP API: how would it share a message, and how did it?"""

import random
from datetime import datetime

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, NonNegativeInt

from router.config_cache import RouterConfigCache
from router.core.conversations import is_over, is_warm
from router.core.routing import preview
from router.pending_assignments import PendingAssignments
from router.postgres import RoutingStore
from spreader.clock import Now
from spreader.contract.configuration import Distribution
from spreader.contract.ids import Id, PhoneNumber, conversation_id


class Ask(BaseModel):
    """A message that is not sent yet."""

    package_id: Id
    recipients: NonNegativeInt
    """How many; none where all are suppressed."""
    distribution: Distribution | None = None


class Shares(BaseModel):
    strategy: Distribution
    distribution: dict[str, int]
    passed_over: dict[str, str]
    reasons: dict[str, str]
    refused: str | None


class Choice(BaseModel):
    """How the record was routed that a delivery came in."""

    strategy: Distribution
    profile_id: str | None
    shared_with: dict[str, int]
    passed_over: dict[str, str]
    reasons: dict[str, str]
    refused: str | None


class Binding(BaseModel):
    """A profile that a customer talked to, since when and why."""

    profile_id: str
    at: datetime
    cause: str


class Known(BaseModel):
    """A conversation."""

    conversation_id: str
    package_id: str
    recipient: str
    profile_id: str
    customer_at: datetime | None
    sent_at: datetime | None
    warm: bool
    """The customer wrote to the profile within 28 days."""
    over: bool
    """Nobody said anything for so long that it does not bind any more."""
    history: list[Binding]


def add_endpoints(
    app: FastAPI, store: RoutingStore, directory: RouterConfigCache, assigned: PendingAssignments, clock: Now
) -> None:
    @app.post("/preview")
    async def shares(ask: Ask) -> Shares:
        package = await directory.package_at(ask.package_id, None)
        if package is None:
            raise HTTPException(404, f"the router has no package {ask.package_id}")
        async with store.begin() as connection:
            cursor = await store.cursor(connection, ask.package_id)
        routing = preview(
            package, assigned.snapshot(directory), ask.recipients, ask.distribution, cursor, random.Random()
        )
        return Shares(
            strategy=routing.strategy,
            distribution=routing.distribution,
            passed_over=dict(routing.passed_over),
            reasons={**routing.reasons},
            refused=routing.refused,
        )

    @app.get("/messages/{message_id}/routing")
    async def routing(message_id: str, index: int) -> Choice:
        async with store.begin() as connection:
            found = await store.routing_of(connection, message_id, index)
        if found is None:
            raise HTTPException(404, f"the router has no decision on delivery {index} of {message_id}")
        place = index - found.first_index
        return Choice(
            strategy=found.strategy,
            profile_id=(found.profiles[place] or None) if place < len(found.profiles) else None,
            shared_with=found.distribution,
            passed_over=dict(found.passed_over),
            reasons={**found.reasons},
            refused=found.refused,
        )

    @app.get("/packages/{package_id}/conversations/{recipient}")
    async def conversation(package_id: Id, recipient: PhoneNumber) -> Known:
        place = (package_id, recipient)
        async with store.begin() as connection:
            known = (await store.conversations(connection, [place])).get(place)
            history = await store.history(connection, package_id, recipient)
        if known is None:
            raise HTTPException(404, f"package {package_id} does not talk to {recipient}")
        package, now = await directory.package_at(package_id, None), clock()
        return Known(
            conversation_id=conversation_id(package_id, recipient),
            package_id=package_id,
            recipient=recipient,
            profile_id=known.profile_id,
            customer_at=known.customer_at,
            sent_at=known.sent_at,
            warm=is_warm(known, now),
            over=package is not None and is_over(known, package.conversation_days, now),
            history=[Binding(profile_id=each.profile_id, at=each.at, cause=each.cause) for each in history],
        )
