"""Webhook set-up endpoint: sets a profile's webhook at its gateway, and verifies that a call of the gateway arrives."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, TypeAdapter

from ingress.configuration.registry import Registry
from ingress.http import request_body
from ingress.http.openapi import add_route
from ingress.http.pagination import PathId
from ingress.http.problems import NOT_OFFERED
from ingress.http.request_body import RequestForm
from ingress.http.responses import ApiResponse
from ingress.http.urls import API, webhook_url
from ingress.infra.service_client import ServiceClient
from ingress.linking.gateway_query import BODY_BYTES_MAX, ask_sender
from ingress.linking.webhook_arrivals import WebhookArrivals
from spreader.contract.ids import Id
from spreader.contract.link_answers import WebhookSetResponse, WebhookStep
from spreader.http.problems import Problem

SET_SECONDS = 90.0
ARRIVAL_SECONDS, NO_CALL_SECONDS = 15.0, 3.0
"""`ARRIVAL_SECONDS`: how long to wait for a call if the gateway must call at once. `NO_CALL_SECONDS`: how long to wait
if the gateway need not call now."""
NO_PUBLIC_URL = (
    "SPREADER_PUBLIC_URL is not set, so the address of the webhook is not known. Set it to the address at which "
    "gateways reach ingress"
)


class WebhookForm(RequestForm):
    """Every field is optional, and so is the whole body."""

    restart: Annotated[bool, Field(strict=True)] = Field(
        default=False,
        description="Whether the session may be restarted. WAHA needs it to take a webhook. Evolution API calls the "
        "webhook at once only if it is restarted. A restarted session sends nothing for some seconds.",
    )
    waba_id: str | None = Field(
        default=None,
        pattern="^[0-9]{1,32}$",
        description="cloud_api: the WhatsApp Business Account of the number, if Meta does not tell which one it is.",
    )


class WebhookBody(BaseModel):
    """`set`: whether the gateway has the address. `received`: whether the gateway has called the address with the
    profile's secret since the request began."""

    profile_id: Id
    webhook_url: str | None
    set: bool
    received: bool
    steps: list[WebhookStep]


_FORM = TypeAdapter(WebhookForm)


@dataclass(frozen=True, slots=True)
class WebhookSetupEndpoint:
    registry: Registry
    arrivals: WebhookArrivals
    sender: ServiceClient
    public_url: str | None

    async def set_webhook(self, profile_id: PathId, request: Request) -> Response:
        form = request_body.parse(_FORM, await request_body.read(request, BODY_BYTES_MAX) or b"{}")
        row = await self.registry.profile_anywhere(profile_id)
        driver = row.settings["gateway"]["driver"]
        if driver == "simulator":
            raise Problem(NOT_OFFERED, "The sender sets the webhooks of the simulator's own profiles by itself.")
        if self.public_url is None:
            step = WebhookStep(name="address", ok=False, detail=NO_PUBLIC_URL)
            return _rendered(profile_id, None, False, False, [step])
        url = webhook_url(self.public_url, driver, row.package_id, profile_id)
        more = {"webhook_url": url, "restart": form.restart, "waba_id": form.waba_id}
        async with self.arrivals.verifying(profile_id):
            answer = await ask_sender(self.sender, "/profiles/webhook", row, SET_SECONDS, more)
            result = WebhookSetResponse.model_validate(answer)
            if not result.set:
                return _rendered(profile_id, url, False, False, result.steps)
            seconds = ARRIVAL_SECONDS if result.call_due else NO_CALL_SECONDS
            received = await self.arrivals.wait(profile_id, seconds)
        return _rendered(profile_id, url, True, received, [*result.steps, _received_step(result, received, seconds)])

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=API, tags=["profiles"])
        add_route(
            router,
            "POST",
            "/profiles/{profile_id}/webhook",
            self.set_webhook,
            "setWebhook",
            "Set the webhook at a profile's gateway, and verify it",
            body=WebhookForm,
            example={"restart": True},
            shape=WebhookBody,
            response=WEBHOOK_EXAMPLE,
            problems=(400, 404, 409, 413, 422, 503),
        )
        return router


def _received_step(result: WebhookSetResponse, received: bool, seconds: float) -> WebhookStep:
    if received:
        detail = "the gateway has called the address, with the profile's secret"
    elif result.call_due:
        detail = (
            f"no call with the profile's secret has arrived within {seconds:g} seconds. Check that the gateway's "
            "machine reaches the address"
        )
    else:
        detail = result.no_call
    return WebhookStep(name="received", ok=received, detail=detail)


def _rendered(profile_id: str, url: str | None, is_set: bool, received: bool, steps: list[WebhookStep]) -> Response:
    body = {
        "profile_id": profile_id,
        "webhook_url": url,
        "set": is_set,
        "received": received,
        "steps": [step.model_dump() for step in steps],
    }
    return ApiResponse(200, body).render()


WEBHOOK_EXAMPLE: dict[str, Any] = {
    "profile_id": "profile_1",
    "webhook_url": "https://spreader.example.com/api/v1/webhooks/waha/pkg_orders/profile_1",
    "set": True,
    "received": True,
    "steps": [
        {"name": "session", "ok": True, "detail": "the session is WORKING"},
        {"name": "set", "ok": True, "detail": "WAHA has set the webhook. It restarts a running session"},
        {"name": "read back", "ok": True, "detail": "WAHA shows the address"},
        {"name": "received", "ok": True, "detail": "the gateway has called the address, with the profile's secret"},
    ],
}
