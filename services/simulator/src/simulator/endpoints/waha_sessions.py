"""WAHA session endpoints: create, configure, start, link and log out sessions in WAHA's format.

A configuration replaces the old one as a whole. A running session is stopped for it and started again, as WAHA does.
"""

import base64
import json
from dataclasses import dataclass, replace
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from simulator.accounts import AccountKey, AccountRegistry, GatewayAccount
from simulator.core.linking_codes import pairing_code, qr_png, qr_text
from simulator.core.reports import SessionChanged
from simulator.dialects.waha import STATUS
from simulator.endpoints.problems import GatewayErrorResponse
from simulator.endpoints.waha import bad_request, check_key, session_body, waha_account
from simulator.gateway import SimulatedGateway
from simulator.whatsapp import WhatsAppNetwork
from spreader.clock import Clock

EVENTS = {
    "session.status", "message", "message.reaction", "message.any", "message.ack", "message.edited",
    "message.revoked", "message.waiting", "presence.update", "group.v2.join", "poll.vote", "call.received",
    "engine.event",
}  # fmt: skip

WAITING = ("linking", "unlinked")
"""The states in which a session waits for a phone."""


@dataclass(frozen=True, slots=True)
class SessionControl:
    """Starts sessions and shows them."""

    gateway: SimulatedGateway
    whatsapp: WhatsAppNetwork

    def start(self, account: GatewayAccount, linked: bool) -> None:
        self.gateway.report(account, SessionChanged("starting"))
        self.gateway.report(account, SessionChanged("working" if linked else "linking"))

    def is_linked(self, account: GatewayAccount) -> bool:
        return self.whatsapp.session(account) not in WAITING

    def shown(self, account: GatewayAccount, status: int = 200) -> JSONResponse:
        return JSONResponse(session_body(account, self.whatsapp), status)

    def change(self, account: GatewayAccount, change: str) -> None:
        linked = self.is_linked(account)
        match change:
            case "start" if self.whatsapp.session(account) != "stopped":
                raise _unprocessable(f"Session '{account.account}' is already started.")
            case "start" | "restart":
                self.start(account, linked)
            case "stop":
                self.gateway.report(account, SessionChanged("stopped"))
            case "logout":
                self.start(account, linked=False)
            case _:
                raise GatewayErrorResponse(JSONResponse({"message": "Cannot POST", "statusCode": 404}, 404))


def waha_session_routes(
    gateway: SimulatedGateway, accounts: AccountRegistry, whatsapp: WhatsAppNetwork, clock: Clock
) -> APIRouter:
    routes, control = APIRouter(prefix="/waha/api", include_in_schema=False), SessionControl(gateway, whatsapp)

    @routes.post("/sessions")
    async def create(request: Request) -> JSONResponse:
        key = check_key(accounts, request)
        body = await _json(request)
        name = str(body.get("name") or "")
        if accounts.get(AccountKey("waha", name)) is not None:
            raise _unprocessable(f"Session '{name}' already exists. Use PUT to update it.")
        account = GatewayAccount(name, name, "", "", "waha", credentials={"api_key": key, "hmac_key": ""})
        account = _configured(account, body.get("config") or {})
        accounts.register(account)
        whatsapp.apply_report(account, SessionChanged("stopped"))
        if body.get("start"):
            control.start(account, linked=False)
        return control.shown(account, 201)

    @routes.put("/sessions/{session}")
    async def configure(session: str, request: Request) -> JSONResponse:
        old = waha_account(accounts, session, request)
        account = _configured(old, (await _json(request)).get("config") or {})
        accounts.register(account)
        if whatsapp.session(account) != "stopped":
            control.start(account, control.is_linked(account))
        return control.shown(account)

    @routes.post("/sessions/{session}/{change}")
    async def change(session: str, change: str, request: Request) -> JSONResponse:
        account = waha_account(accounts, session, request)
        control.change(account, change)
        return control.shown(account, 201)

    @routes.get("/{session}/auth/qr")
    async def qr(session: str, request: Request) -> Response:
        _waiting(waha_account(accounts, session, request), whatsapp)
        image = qr_png(qr_text(session, clock()))
        if request.headers.get("Accept") == "application/json":
            return JSONResponse({"mimetype": "image/png", "data": base64.b64encode(image).decode()})
        return Response(image, media_type="image/png")

    @routes.post("/{session}/auth/request-code")
    async def request_code(session: str, request: Request) -> JSONResponse:
        account = _waiting(waha_account(accounts, session, request), whatsapp)
        phone = str((await _json(request)).get("phoneNumber") or "")
        if not phone.isdecimal():
            raise GatewayErrorResponse(bad_request(["phoneNumber must be digits"]))
        code = pairing_code(account.account, phone, clock())
        return JSONResponse({"code": f"{code[:4]}-{code[4:]}"}, 201)

    return routes


def _configured(account: GatewayAccount, config: dict[str, Any]) -> GatewayAccount:
    """The account with this configuration. Only one of its webhooks is called: the last one with a key."""
    webhooks = [each for each in config.get("webhooks") or () if isinstance(each, dict)]
    for index, webhook in enumerate(webhooks):
        if unknown := set(webhook.get("events") or ()) - EVENTS:
            text = f"config.webhooks.{index}.each value in events must be one of the known values, not {min(unknown)}"
            raise GatewayErrorResponse(bad_request([text]))
    signed = [each for each in webhooks if (each.get("hmac") or {}).get("key")]
    changed = replace(account, config=config)
    profile_id = (config.get("metadata") or {}).get("profile.id")
    if profile_id:
        changed = replace(changed, profile_id=str(profile_id))
    if not signed:
        return changed
    key = str(signed[-1]["hmac"]["key"])
    return replace(changed, webhook_url=str(signed[-1]["url"]), credentials={**account.credentials, "hmac_key": key})


def _waiting(account: GatewayAccount, whatsapp: WhatsAppNetwork) -> GatewayAccount:
    """The account, if its session waits for a phone."""
    state = whatsapp.session(account)
    if state in WAITING:
        return account
    body = {
        "error": "Session status is not as expected. Try again later or restart the session",
        "session": account.account,
        "status": STATUS[state],
        "expected": ["SCAN_QR_CODE"],
    }
    raise GatewayErrorResponse(JSONResponse(body, 422))


async def _json(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise GatewayErrorResponse(bad_request(["the body must be a JSON object"]))
    return body


def _unprocessable(message: str) -> GatewayErrorResponse:
    return GatewayErrorResponse(
        JSONResponse({"message": message, "error": "Unprocessable Entity", "statusCode": 422}, 422)
    )
