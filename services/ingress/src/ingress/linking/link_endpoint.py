"""Link endpoint: links a profile's account at WAHA or Evolution by a QR image or a code, and logs it out.

A person who has the QR image or the code can link the account. So no log shows them, and Postgres has the code only in
encrypted form.
"""

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, TypeAdapter

from ingress.configuration.registry import Registry
from ingress.core.link_status import LinkState, LinkStatus, link_status
from ingress.http import request_body
from ingress.http.openapi import add_route
from ingress.http.pagination import PathId
from ingress.http.problems import NOT_OFFERED
from ingress.http.request_body import RequestForm
from ingress.http.responses import ApiResponse
from ingress.http.urls import API, webhook_url
from ingress.infra.service_client import ServiceClient
from ingress.linking.gateway_query import BODY_BYTES_MAX, ask_sender
from ingress.linking.link_attempts import LinkAttempts, StoredAttempt
from ingress.sql.configuration import ProfileEntry
from spreader.contract.ids import Id
from spreader.contract.link_answers import LinkMethod, LinkProgressResponse
from spreader.http.problems import Problem

BEGIN_SECONDS, PROGRESS_SECONDS = 60.0, 30.0
NO_STORE = {"Cache-Control": "no-store"}


class LinkForm(RequestForm):
    method: LinkMethod = Field(examples=["qr"], description="qr: an image to scan. code: a text to enter on the phone.")


class LinkBody(BaseModel):
    """`qr_png`: a PNG image in base64. WhatsApp replaces the image every 20 to 45 seconds, so request it again every
    few seconds. `expires_at`: when the attempt to link ends."""

    profile_id: Id
    state: LinkState
    detail: str
    qr_png: Annotated[str | None, Field(json_schema_extra={"contentEncoding": "base64"})]
    code: str | None
    expires_at: datetime | None


_FORM = TypeAdapter(LinkForm)


@dataclass(frozen=True, slots=True)
class LinkEndpoint:
    registry: Registry
    attempts: LinkAttempts
    sender: ServiceClient
    public_url: str | None

    async def begin(self, profile_id: PathId, request: Request) -> Response:
        form = request_body.parse(_FORM, await request_body.read(request, BODY_BYTES_MAX))
        row = await self._linkable(profile_id)
        stored = await self.attempts.begin(profile_id, form.method)
        gateway = row.settings["gateway"]
        url = webhook_url(self.public_url, gateway["driver"], row.package_id, profile_id) if self.public_url else None
        more = {"method": form.method, "webhook_url": url}
        async with self._asking_for_code(profile_id, stored):
            answer = await self._ask("/profiles/link", row, BEGIN_SECONDS, more)
        return await self._response(202, profile_id, stored, answer)

    async def show(self, profile_id: PathId) -> Response:
        row = await self._linkable(profile_id)
        stored = await self.attempts.find(profile_id)
        is_open = stored is not None and stored.attempt.is_open(self.attempts.wall_now())
        method = stored.attempt.method if stored is not None and is_open else None
        asks = method == "code" and stored is not None and await self.attempts.may_ask_for_code(profile_id, stored)
        more = {"method": method, "has_code": not asks}
        async with self._asking_for_code(profile_id, stored if asks else None):
            answer = await self._ask("/profiles/link/progress", row, PROGRESS_SECONDS, more)
        return await self._response(200, profile_id, stored, answer)

    async def log_out(self, profile_id: PathId) -> Response:
        row = await self._linkable(profile_id)
        await self.attempts.end(profile_id)
        answer = await self._ask("/profiles/logout", row, BEGIN_SECONDS)
        if answer.refused:
            return _rendered(200, profile_id, LinkStatus("failed", answer.detail))
        return await self._response(200, profile_id, None, answer)

    async def _ask(
        self, path: str, row: ProfileEntry, seconds: float, more: dict[str, Any] | None = None
    ) -> LinkProgressResponse:
        return LinkProgressResponse.model_validate(await ask_sender(self.sender, path, row, seconds, more))

    async def _response(
        self,
        status: int,
        profile_id: str,
        stored: StoredAttempt | None,
        answer: LinkProgressResponse,
    ) -> Response:
        if stored is not None and answer.code is not None:
            await self.attempts.keep_code(profile_id, stored, answer.code)
        if stored is not None and answer.session == "working":
            await self.attempts.end(profile_id)
        attempt = None if stored is None else stored.attempt
        return _rendered(status, profile_id, link_status(attempt, answer, self.attempts.wall_now()))

    @contextlib.asynccontextmanager
    async def _asking_for_code(self, profile_id: str, stored: StoredAttempt | None) -> AsyncGenerator[None]:
        """When this context ends, other requests may ask the gateway for a code again, unless a code is stored. If
        `stored` is None, the context does nothing."""
        try:
            yield
        finally:
            if stored is not None:
                await self.attempts.keep_code(profile_id, stored, None)

    async def _linkable(self, profile_id: str) -> ProfileEntry:
        """Returns the profile. Raises the problem `not-offered` if accounts at its gateway cannot be linked through
        Spreader."""
        row = await self.registry.profile_anywhere(profile_id)
        match row.settings["gateway"]["driver"]:
            case "cloud_api":
                detail = "Numbers of the Cloud API are linked in Meta's dashboard."
                raise Problem(NOT_OFFERED, detail)
            case "simulator":
                raise Problem(NOT_OFFERED, "The simulator's own profiles need no linking.")
            case _:
                return row

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=API, tags=["profiles"])
        path = "/profiles/{profile_id}/link"
        shown: dict[str, Any] = {"shape": LinkBody, "response": LINK_EXAMPLE}
        add_route(
            router,
            "POST",
            path,
            self.begin,
            "linkProfile",
            "Link a profile's account by a QR image or a code",
            status=202,
            body=LinkForm,
            example={"method": "qr"},
            **shown,
            problems=(400, 404, 409, 413, 422, 503),
        )
        add_route(
            router, "GET", path, self.show, "getLink", "See how the linking goes", **shown, problems=(404, 409, 503)
        )
        add_route(
            router,
            "POST",
            "/profiles/{profile_id}/logout",
            self.log_out,
            "logOutProfile",
            "Log a profile's account out at its gateway",
            shape=LinkBody,
            response=LOGGED_OUT_EXAMPLE,
            problems=(404, 409, 503),
        )
        return router


def _rendered(status: int, profile_id: str, link: LinkStatus) -> Response:
    body = {
        "profile_id": profile_id,
        "state": link.state,
        "detail": link.detail,
        "qr_png": link.qr_png,
        "code": link.code,
        "expires_at": link.expires_at,
    }
    return ApiResponse(status, body, NO_STORE).render()


LINK_EXAMPLE: dict[str, Any] = {
    "profile_id": "profile_1",
    "state": "waiting",
    "detail": "WAHA: the session is SCAN_QR_CODE",
    "qr_png": "iVBORw0KGgo=",
    "code": None,
    "expires_at": "2024-02-08T18:44:00Z",
}
LOGGED_OUT_EXAMPLE: dict[str, Any] = {
    "profile_id": "profile_1",
    "state": "expired",
    "detail": "no linking of this profile is under way (WAHA has logged the session out)",
    "qr_png": None,
    "code": None,
    "expires_at": None,
}
