"""Message endpoint: the status of one message, the list of its deliveries, and its cancellation."""

import asyncio
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from pydantic import WithJsonSchema
from typing_extensions import TypedDict

from ingress.core.status import STATUSES, WAITING, MessageStatus, message_status, status_counts
from ingress.http.openapi import add_route
from ingress.http.pagination import PageParameters, PathId, page_response
from ingress.http.problems import NOT_CANCELLABLE
from ingress.http.responses import ApiResponse, with_optional_key
from ingress.http.urls import API
from ingress.sql.status import CountedMessage, ShownDelivery
from ingress.status.delivery_endpoint import DELIVERY_EXAMPLE
from ingress.status.projection import StatusProjection
from spreader.clock import Now
from spreader.contract.content import Content
from spreader.contract.events import Lane, MessageCancelled, Status
from spreader.contract.ids import creation_time
from spreader.contract.labels import SentBy
from spreader.http.openapi import PageBody
from spreader.http.problems import Problem, not_found
from spreader.kafka.bus import Bus

NOTE = "Held deliveries are cancelled, and released ones whose gateway call has not begun."
RETRY_SECONDS = 0.05
"""The first pause between two searches for a message. Each further pause is twice as long as the pause before it."""
NEW_FOR = timedelta(hours=1)
"""A message may be new if its id was created less than this long before or after now. One hour is enough for clocks
that differ, and for the fast clock of a trial."""

_COUNT = {"type": "integer", "minimum": 0}
_COUNTS = {"type": "object", "required": list(STATUSES), "properties": dict.fromkeys(STATUSES, _COUNT)}


class MessageBody(TypedDict):
    """`waiting_for_profile`: how many of the held deliveries wait because no profile can send. `content` is null if
    its only recipient was erased, or if the message is from before this field. `sent_by` is null if the request did not
    say who sends it. `resend_of`: the message whose failed deliveries this message repeats."""

    message_id: str
    package_id: str
    lane: Lane
    type: str
    status: MessageStatus
    recipients: int
    counts: Annotated[dict[Status, int], WithJsonSchema(_COUNTS)]
    waiting_for_profile: int
    name: str | None
    tags: list[str]
    content: Content | None
    sent_by: SentBy | None
    resend_of: str | None
    accepted_at: datetime
    cancel_requested_at: datetime | None


class CancellingBody(TypedDict):
    message_id: str
    status: Literal["cancelling"]
    note: str


@dataclass(frozen=True, slots=True)
class MessageEndpoint:
    projection: StatusProjection
    bus: Bus
    now: Now
    found_wait_seconds: float

    async def get(self, message_id: PathId) -> Response:
        return ApiResponse(200, message_body(await self.message(message_id))).render()

    async def deliveries(self, message_id: PathId, page_request: PageParameters) -> Response:
        await self.message(message_id)
        filters = {"message_ids": [message_id], "after": page_request.after or ""}
        rows = await self.projection.deliveries(filters, page_request.read_limit, of_message=True)
        bodies = [with_optional_key(asdict(row)) for row in rows]
        return page_response(page_request, [row.delivery_id for row in rows], bodies).render()

    async def cancel(self, message_id: PathId) -> Response:
        message = await self.message(message_id)
        if message.lane == "reply":
            raise Problem(NOT_CANCELLABLE, f"{message_id} is a reply, and replies are sent at once.")
        status = message_status(status_counts(message.counts, message.recipients))
        if status in ("completed", "cancelled"):
            raise Problem(NOT_CANCELLABLE, f"{message_id} is {status}: none of its deliveries is waiting.")
        await self.bus.publish(MessageCancelled(package_id=message.package_id, message_id=message_id, at=self.now()))
        await self.projection.cancel(message_id, self.now())
        body: CancellingBody = {"message_id": message_id, "status": "cancelling", "note": NOTE}
        return ApiResponse(202, body).render()

    async def message(self, message_id: str) -> CountedMessage:
        """Raises the problem `not-found` if there is no such message.

        A consumer stores a message shortly after its acceptance. So if the message may be new, this function waits for
        it, but not longer than about `found_wait_seconds`. An id that Spreader made contains the time of its creation.
        Any other id may be new.
        """
        pause, waited = RETRY_SECONDS, 0.0
        while (message := await self.projection.message(message_id)) is None:
            if waited >= self.found_wait_seconds or not self._may_be_new(message_id):
                raise not_found("message", message_id)
            await asyncio.sleep(pause)
            pause, waited = 2 * pause, waited + pause
        return message

    def _may_be_new(self, message_id: str) -> bool:
        created_at = creation_time(message_id)
        return created_at is None or abs(self.now() - created_at) < NEW_FOR

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=f"{API}/messages", tags=["messages"])
        path = "/{message_id}"
        add_route(
            router,
            "GET",
            path,
            self.get,
            "getMessage",
            "The status of a message",
            shape=MessageBody,
            response=MESSAGE_EXAMPLE,
            problems=(404,),
        )
        add_route(
            router,
            "GET",
            path + "/deliveries",
            self.deliveries,
            "listDeliveries",
            "A message's deliveries",
            shape=PageBody[ShownDelivery],
            response={"data": [DELIVERY_EXAMPLE], "next_cursor": None},
            problems=(400, 404, 422),
        )
        add_route(
            router,
            "POST",
            path + "/cancel",
            self.cancel,
            "cancelMessage",
            "Cancel a message's held deliveries",
            status=202,
            shape=CancellingBody,
            response=CANCELLING_EXAMPLE,
            problems=(404, 409, 503),
        )
        return router


def message_body(message: CountedMessage) -> MessageBody:
    counts = status_counts(message.counts, message.recipients)
    return {
        "message_id": message.message_id,
        "package_id": message.package_id,
        "lane": message.lane,
        "type": message.kind,
        "status": message_status(counts),
        "recipients": message.recipients,
        "counts": counts,
        "waiting_for_profile": message.counts.get(WAITING, 0),
        "name": message.name,
        "tags": message.tags,
        "content": message.content,
        "sent_by": message.sent_by,
        "resend_of": message.resend_of,
        "accepted_at": message.accepted_at,
        "cancel_requested_at": message.cancelled_at,
    }


MESSAGE_EXAMPLE: dict[str, Any] = {
    "message_id": "msg_abc123",
    "package_id": "pkg_orders",
    "lane": "open",
    "type": "text",
    "status": "in_progress",
    "recipients": 3,
    "counts": {**dict.fromkeys(STATUSES, 0), "held": 1, "sent": 2},
    "waiting_for_profile": 0,
    "name": "Winter sale",
    "tags": ["sale"],
    "content": {"type": "text", "text": "Hello! Check out our new offers..."},
    "sent_by": {"key_id": "environment", "operator": "Mona"},
    "resend_of": None,
    "accepted_at": "2024-02-08T18:45:12Z",
    "cancel_requested_at": None,
}
CANCELLING_EXAMPLE: dict[str, Any] = {"message_id": "msg_abc123", "status": "cancelling", "note": NOTE}
