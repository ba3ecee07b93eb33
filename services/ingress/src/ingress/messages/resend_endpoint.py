"""Resend endpoint: sends a message again to the recipients for whom it failed."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import Field, TypeAdapter
from typing_extensions import TypedDict

from ingress.configuration.config_cache import IngressConfigCache, require_profiles
from ingress.http import request_body
from ingress.http.openapi import add_route
from ingress.http.pagination import PathId
from ingress.http.problems import NOT_RESENDABLE
from ingress.http.request_body import RequestForm
from ingress.http.responses import ApiResponse
from ingress.http.urls import API
from ingress.messages.idempotency import IdempotentResponses, key_of
from ingress.messages.media_check import MediaCheck
from ingress.messages.received import fingerprint
from ingress.messages.resends import CONTENT, Resends, ResentStatus
from ingress.sql.status import CountedMessage
from spreader.clock import Now
from spreader.contract.ids import new_id
from spreader.http.problems import Problem

BODY_BYTES_MAX = 16 * 1024


class ResendForm(RequestForm):
    statuses: tuple[ResentStatus, ...] = Field(
        default=("failed",),
        min_length=1,
        max_length=2,
        description="Deliveries with one of these statuses are sent again. A delivery that is `unknown` may have "
        "arrived, so it is never sent again.",
    )


FORM: TypeAdapter[ResendForm] = TypeAdapter(ResendForm)


class ResendBody(TypedDict):
    """`message_id`: the new message, which repeats deliveries of `resend_of`."""

    message_id: str
    resend_of: str
    recipients: int


@dataclass(frozen=True, slots=True)
class ResendEndpoint:
    find_message: Callable[[str], Awaitable[CountedMessage]]
    config_cache: IngressConfigCache
    responses: IdempotentResponses
    media_check: MediaCheck
    resends: Resends
    now: Now

    async def resend_failed(self, message_id: PathId, request: Request) -> Response:
        """The new message has the same content, name and tags, and no schedule. A delivery is sent again only once. If
        it fails again, resend the new message."""
        body = await request_body.read(request, BODY_BYTES_MAX)
        form = request_body.parse(FORM, body or b"{}")
        message = await self.find_message(message_id)
        work = partial(self._resend, message, form)
        new_message_id, key = new_id("msg", self.now()), key_of(request)
        if key is None:
            return (await work(new_message_id)).render()
        route = f"POST /messages/{message_id}/resend-failed"
        return (await self.responses.respond_once(route, key, fingerprint(form), new_message_id, work)).render()

    async def _resend(self, message: CountedMessage, form: ResendForm, new_message_id: str) -> ApiResponse:
        package = self.config_cache.require_package(message.package_id)
        require_profiles(package, "open")
        if message.lane == "reply":
            raise Problem(NOT_RESENDABLE, f"{message.message_id} is a reply. Send a new reply instead.")
        if message.content is None:
            raise Problem(NOT_RESENDABLE, f"The content of {message.message_id} is not stored. Send a new message.")
        content = await self.media_check.store_media(package, "open", CONTENT.validate_python(message.content))
        recipients = await self.resends.send(package, message, content, form.statuses, new_message_id)
        if not recipients:
            wanted = " or ".join(form.statuses)
            detail = f"{message.message_id} has no delivery that is {wanted} and was not sent again."
            raise Problem(NOT_RESENDABLE, detail)
        body: ResendBody = {
            "message_id": new_message_id,
            "resend_of": message.message_id,
            "recipients": recipients,
        }
        return ApiResponse(202, body)

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=f"{API}/messages", tags=["messages"])
        add_route(
            router,
            "POST",
            "/{message_id}/resend-failed",
            self.resend_failed,
            "resendFailedDeliveries",
            "Send a message again to the recipients for whom it failed",
            status=202,
            body=ResendForm,
            examples=REQUEST_EXAMPLES,
            shape=ResendBody,
            response=RESPONSE_EXAMPLE,
            idempotent=True,
            problems=(400, 404, 409, 413, 422, 503),
        )
        return router


REQUEST_EXAMPLES: dict[str, dict[str, Any]] = {"failed": {"statuses": ["failed", "expired"]}}
RESPONSE_EXAMPLE: dict[str, Any] = {"message_id": "msg_def456", "resend_of": "msg_abc123", "recipients": 4}
