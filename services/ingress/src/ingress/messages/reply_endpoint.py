"""Reply endpoint: accepts a reply to a waiting customer, and returns the outcome of the reply."""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NotRequired

from fastapi import APIRouter, Request, Response
from typing_extensions import TypedDict

from ingress.core.number_warnings import NumberWarning, other_spellings
from ingress.http.openapi import add_route
from ingress.http.operator import current_sender
from ingress.http.problems import GATEWAY, REPLY_NOT_SENT, UnsentReplyMembers
from ingress.http.responses import ApiResponse
from ingress.http.urls import API
from ingress.messages.callbacks import CallbackChannel
from ingress.messages.intake import MessageIntake
from ingress.messages.received import ReceivedMessage
from ingress.messages.schemas import ReplyMessage, content_of
from ingress.metrics import ACCEPT_SECONDS, ACCEPTED, UNANSWERED
from spreader.clock import Now
from spreader.contract.configuration import Package
from spreader.contract.events import FailureClass, ReplyMessageRequested, ReplySettled, Status
from spreader.contract.ids import conversation_id
from spreader.http.openapi import answer
from spreader.http.problems import Problem, invalid
from spreader.kafka.bus import Bus
from spreader.telemetry.tracing import current_traceparent

QUEUED = "The reply is accepted. It has no outcome yet."
NOTE = "Reply messages bypass all limits"
SENT: frozenset[Status] = frozenset({"sent", "delivered", "read"})
TRIED: frozenset[Status] = frozenset({"failed", "unknown"})
"""The unsuccessful statuses that follow a call of the gateway. A reply gets every other unsuccessful status without
such a call."""
GATEWAY_FAILURES: frozenset[FailureClass | None] = frozenset({"transient", "throttled", "gateway", "ambiguous"})
"""Failures of the gateway or of WhatsApp. All other failures concern the profile, the recipient or the content."""


class ReplyBody(TypedDict):
    """`status`: a reply that is `queued` has no outcome yet, so `sent_at` and `profile_used` are null."""

    message_id: str
    status: Literal["sent", "queued"]
    sent_at: datetime | None
    profile_used: str | None
    profile_reason: NotRequired[str]
    conversation_id: str
    note: str
    warnings: NotRequired[list[NumberWarning]]


@dataclass(frozen=True, slots=True)
class ReplyEndpoint:
    intake: MessageIntake[ReplyMessage]
    bus: Bus
    callbacks: CallbackChannel
    now: Now
    wait_seconds: float

    async def accept(self, package_id: str, request: Request) -> Response:
        return await self.intake.accept(package_id, request, self._publish_and_wait)

    async def _publish_and_wait(
        self, package: Package, received: ReceivedMessage[ReplyMessage], message_id: str, waits: bool
    ) -> ApiResponse:
        began, form = time.monotonic(), received.form
        event = ReplyMessageRequested.model_construct(  # without validation: the form is validated already
            traceparent=current_traceparent(),
            package_id=package.package_id,
            message_id=message_id,
            content=content_of(form),
            recipient=form.recipient,
            conversation_id=form.conversation_id,
            quote=form.quote,
            requested_at=self.now(),
            package_version=package.version,
            callback_partition=self.callbacks.partition if waits else None,
            name=form.name,
            tags=form.tags,
            sent_by=current_sender(),
        )
        if event.contradiction is not None:
            raise invalid("/conversation_id", "other_conversation", event.contradiction)
        with self.callbacks.waiters.expect(message_id, 1) as waiter:
            await self.bus.publish(event)
            ACCEPT_SECONDS.labels("reply").observe(time.monotonic() - began)
            ACCEPTED.labels("reply").inc()
            callbacks = await waiter.wait(self.wait_seconds) if waits else None
        settled = callbacks[0] if callbacks else None
        if isinstance(settled, ReplySettled):
            return _settled_response(event, settled)
        if waits:
            UNANSWERED.labels("reply").inc()
        return ApiResponse(202, _body(event, status="queued", sent_at=None, profile_used=None))

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=f"{API}/packages/{{package_id}}/messages", tags=["messages"])
        add_route(
            router,
            "POST",
            "/reply",
            self.accept,
            "sendReply",
            "Reply to a customer at once",
            body=ReplyMessage,
            examples=REQUEST_EXAMPLES,
            shape=ReplyBody,
            response=RESPONSE_EXAMPLE,
            responses={202: answer(ReplyBody, QUEUED_EXAMPLE, QUEUED)},
            idempotent=True,
            direct=True,
            problems=(400, 404, 409, 413, 422, 502, 503),
        )
        return router


def _body(event: ReplyMessageRequested, **result: Any) -> dict[str, Any]:
    conversation = conversation_id(event.package_id, event.recipient)
    warnings = other_spellings(int(event.recipient_key is not None))
    more = {"warnings": warnings} if warnings else {}
    return {"message_id": event.message_id, **result, "conversation_id": conversation, "note": NOTE, **more}


def _settled_response(event: ReplyMessageRequested, settled: ReplySettled) -> ApiResponse:
    if settled.status in SENT:
        reason = {"profile_reason": settled.reason} if settled.reason else {}
        body = _body(event, status="sent", sent_at=settled.at, profile_used=settled.profile_id, **reason)
        return ApiResponse(200, body)
    kind = GATEWAY if settled.status in TRIED and settled.failure in GATEWAY_FAILURES else REPLY_NOT_SENT
    detail = f"The reply is {settled.status}: {settled.reason or 'no reason was given'}."
    more: UnsentReplyMembers = {
        "message_id": event.message_id,
        "message_status": settled.status,
        "profile_used": settled.profile_id,
        "failure": settled.failure,
    }
    return ApiResponse.of_problem(Problem(kind, detail, more=more))


REQUEST_EXAMPLES: dict[str, dict[str, Any]] = {
    "text": {
        "type": "text",
        "text": "Thank you for your order! It will be delivered tomorrow.",
        "recipient": "201001234567",
        "conversation_id": "conv_xyz789",
    },
}
RESPONSE_EXAMPLE: dict[str, Any] = {
    "message_id": "msg_def456",
    "status": "sent",
    "sent_at": "2024-02-08T18:45:12Z",
    "profile_used": "profile_2",
    "profile_reason": "the customer wrote to this profile last",
    "conversation_id": "conv_3c08u7j4800bgdm2i2i6fk70vc",
    "note": NOTE,
}
QUEUED_EXAMPLE: dict[str, Any] = {
    "message_id": "msg_def456",
    "status": "queued",
    "sent_at": None,
    "profile_used": None,
    "conversation_id": "conv_3c08u7j4800bgdm2i2i6fk70vc",
    "note": NOTE,
}
