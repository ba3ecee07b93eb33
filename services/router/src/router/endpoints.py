"""Endpoints: the router's internal HTTP API. It previews a distribution, and looks up decisions and conversations."""

import random
from datetime import timedelta

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, NonNegativeInt

from router.config_cache import RouterConfigCache
from router.core.conversations import is_over, is_warm
from router.core.routing import preview
from router.pending_assignments import PendingAssignments
from router.postgres import RoutingStore
from router.sql_known_conversations import known_conversations
from spreader.clock import Now
from spreader.contract.answers import (
    ConversationResponse,
    KnownConversation,
    KnownConversations,
    MoveResponse,
    RoutingResponse,
)
from spreader.contract.configuration import Distribution
from spreader.contract.ids import Id, PhoneNumber, conversation_id
from spreader.phone.canonical import person_key


class PreviewRequest(BaseModel):
    """An open message that is not requested yet."""

    package_id: Id
    recipients: NonNegativeInt
    """The number of recipients, without suppressed ones."""
    distribution: Distribution | None = None


class NewNumber(BaseModel):
    recipient: PhoneNumber


class Followed(BaseModel):
    """Whether the old number has a conversation, which now continues under the new number."""

    followed: bool


class PreviewResponse(BaseModel):
    strategy: Distribution
    distribution: dict[str, int]
    passed_over: dict[str, str]
    reasons: dict[str, str]
    refused: str | None
    waiting: str | None
    """Why no profile can send now, so that the deliveries would wait. None: they would not wait."""


def add_endpoints(
    app: FastAPI, store: RoutingStore, config: RouterConfigCache, pending: PendingAssignments, clock: Now
) -> None:
    @app.post("/preview")
    async def shares(body: PreviewRequest) -> PreviewResponse:
        package = config.package(body.package_id)
        if package is None:
            raise HTTPException(404, f"the router has no package {body.package_id}")
        async with store.begin() as connection:
            cursor = await store.cursor(connection, body.package_id)
        snapshot = pending.snapshot(config)
        routing = preview(package, snapshot, body.recipients, body.distribution, cursor, random.Random())
        return PreviewResponse(
            strategy=routing.strategy,
            distribution=routing.distribution,
            passed_over=dict(routing.passed_over),
            reasons={**routing.reasons},
            refused=routing.refused,
            waiting=routing.waiting,
        )

    @app.get("/messages/{message_id}/routing")
    async def routing(message_id: str, index: int) -> RoutingResponse:
        async with store.begin() as connection:
            decision = await store.routing_of(connection, message_id, index)
        if decision is None:
            raise HTTPException(404, f"the router has no decision on delivery {index} of {message_id}")
        position = index - decision.first_index
        return RoutingResponse(
            strategy=decision.strategy,
            profile_id=(decision.profiles[position] or None) if position < len(decision.profiles) else None,
            shared_with=decision.distribution,
            passed_over=dict(decision.passed_over),
            reasons={**decision.reasons},
            refused=decision.refused,
            waiting=decision.waiting,
        )

    _add_conversation(app, store, config, clock)
    _add_recipient_endpoints(app, store, config)


def _add_conversation(app: FastAPI, store: RoutingStore, config: RouterConfigCache, clock: Now) -> None:
    @app.get("/packages/{package_id}/conversations/{recipient}")
    async def conversation(package_id: Id, recipient: PhoneNumber) -> ConversationResponse:
        key = (package_id, person_key(recipient))
        async with store.begin() as connection:
            known = (await store.conversations(connection, [key])).get(key)
            history = await store.history(connection, *key)
        if known is None:
            raise HTTPException(404, f"package {package_id} has no conversation with {recipient}")
        package, now = config.package(package_id), clock()
        return ConversationResponse(
            conversation_id=conversation_id(package_id, recipient),
            package_id=package_id,
            recipient=recipient,
            recipient_key=None if key[1] == recipient else key[1],
            profile_id=known.profile_id,
            customer_at=known.customer_at,
            sent_at=known.sent_at,
            warm=is_warm(known, now),
            over=package is not None and is_over(known, package.conversation_days, now),
            history=[MoveResponse(profile_id=move.profile_id, at=move.at, cause=move.cause) for move in history],
        )


def _add_recipient_endpoints(app: FastAPI, store: RoutingStore, config: RouterConfigCache) -> None:
    @app.post("/packages/{package_id}/conversations/{recipient}/new-number")
    async def new_number(package_id: Id, recipient: PhoneNumber, body: NewNumber) -> Followed:
        package = config.package(package_id)
        binds_for = timedelta.max if package is None else timedelta(days=package.conversation_days)
        old = package_id, person_key(recipient)
        return Followed(followed=await store.follow(old, person_key(body.recipient), binds_for))

    @app.get("/recipients/{recipient}")
    async def recipient(recipient: PhoneNumber) -> KnownConversations:
        async with store.begin() as connection:
            known = await known_conversations(connection, recipient)
        return KnownConversations(
            conversations=[
                KnownConversation(
                    conversation_id=conversation_id(each.package_id, each.recipient),
                    package_id=each.package_id,
                    profile_id=each.profile_id,
                    customer_at=each.customer_at,
                    sent_at=each.sent_at,
                )
                for each in known
            ]
        )
