"""Evolution instance endpoints: create, connect, restart and log out instances, and set their webhooks, in Evolution's
format.

An instance makes a pairing code only if its connection was begun with a phone number.
"""

import base64
import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from simulator.accounts import AccountKey, AccountRegistry, GatewayAccount
from simulator.core.account_state import AccountState
from simulator.core.linking_codes import pairing_code, qr_png, qr_text
from simulator.core.reports import SessionChanged
from simulator.dialects.evolution import STATES, instance_id
from simulator.dialects.waha import BANNED, TEMPORARY_BAN
from simulator.endpoints.evolution import error_response, evolution_account, is_key
from simulator.endpoints.problems import GatewayErrorResponse
from simulator.gateway import SimulatedGateway
from simulator.whatsapp import WhatsAppNetwork
from spreader.clock import Clock

EVENTS = {
    "APPLICATION_STARTUP", "QRCODE_UPDATED", "MESSAGES_SET", "MESSAGES_UPSERT", "MESSAGES_EDITED", "MESSAGES_UPDATE",
    "MESSAGES_DELETE", "SEND_MESSAGE", "SEND_MESSAGE_UPDATE", "CONTACTS_SET", "CONTACTS_UPSERT", "CONTACTS_UPDATE",
    "PRESENCE_UPDATE", "CHATS_SET", "CHATS_UPSERT", "CHATS_UPDATE", "CHATS_DELETE", "GROUPS_UPSERT", "GROUP_UPDATE",
    "GROUP_PARTICIPANTS_UPDATE", "CONNECTION_UPDATE", "LABELS_EDIT", "LABELS_ASSOCIATION", "CALL", "TYPEBOT_START",
    "TYPEBOT_CHANGE_STATUS", "REMOVE_INSTANCE", "LOGOUT_INSTANCE", "INSTANCE_CREATE", "INSTANCE_DELETE",
    "STATUS_INSTANCE",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class InstanceControl:
    """Connects instances and shows them. `numbers`: the phone numbers for which instances make codes."""

    gateway: SimulatedGateway
    whatsapp: WhatsAppNetwork
    clock: Clock
    numbers: dict[AccountKey, str] = field(default_factory=dict[AccountKey, str])

    def state(self, account: GatewayAccount) -> str:
        return STATES[self.whatsapp.session(account)][0]

    def state_body(self, account: GatewayAccount) -> JSONResponse:
        return JSONResponse({"instance": {"instanceName": account.account, "state": self.state(account)}})

    def connect(self, account: GatewayAccount, number: str | None) -> None:
        if number:
            self.numbers[account.key] = number
        self.gateway.report(account, SessionChanged("linking"))

    def restart(self, account: GatewayAccount) -> None:
        before = self.whatsapp.session(account)
        self.gateway.report(account, SessionChanged("starting"))
        self.gateway.report(account, SessionChanged(before))

    def log_out(self, account: GatewayAccount) -> None:
        self.numbers.pop(account.key, None)
        self.gateway.report(account, SessionChanged("unlinked", 401))

    def shown_code(self, account: GatewayAccount) -> dict[str, Any]:
        if self.whatsapp.session(account) != "linking":
            return {"pairingCode": None, "code": None, "base64": None, "count": 0}
        text, number = qr_text(account.account, self.clock()), self.numbers.get(account.key)
        image = base64.b64encode(qr_png(text)).decode()
        pairing = pairing_code(account.account, number, self.clock()) if number else None
        return {"pairingCode": pairing, "code": text, "base64": f"data:image/png;base64,{image}", "count": 1}

    def row(self, account: GatewayAccount) -> dict[str, Any]:
        reason = _ended_by(self.whatsapp.state(account), self.clock())
        row = {"id": instance_id(account), "name": account.account, "connectionStatus": self.state(account)}
        return {**row, "disconnectionReasonCode": reason, "integration": "WHATSAPP-BAILEYS"}


def evolution_instance_routes(
    gateway: SimulatedGateway, accounts: AccountRegistry, whatsapp: WhatsAppNetwork, clock: Clock
) -> APIRouter:
    routes, control = APIRouter(prefix="/evolution", include_in_schema=False), InstanceControl(gateway, whatsapp, clock)

    @routes.post("/instance/create")
    async def create(request: Request) -> JSONResponse:
        body = await _json(request)
        account = _new_account(accounts, body, request.headers.get("apikey", ""))
        accounts.register(account)
        whatsapp.apply_report(account, SessionChanged("unlinked"))
        if body.get("qrcode"):
            control.connect(account, body.get("number"))
        row = {"instanceName": account.account, "instanceId": instance_id(account), "status": control.state(account)}
        shown = {"instance": row, "hash": account.credentials["api_key"], "qrcode": control.shown_code(account)}
        return JSONResponse(shown, 201)

    @routes.get("/instance/connect/{instance}")
    async def connect(instance: str, request: Request, number: str | None = None) -> JSONResponse:
        account = evolution_account(accounts, instance, request)
        if control.state(account) == "open":
            return control.state_body(account)
        if control.state(account) == "close":
            control.connect(account, number)
        return JSONResponse(control.shown_code(account))

    @routes.post("/instance/restart/{instance}")
    async def restart(instance: str, request: Request) -> JSONResponse:
        account = evolution_account(accounts, instance, request)
        if control.state(account) == "close":
            return JSONResponse({"error": True, "message": f'Error: The "{instance}" instance is not connected'})
        control.restart(account)
        return control.state_body(account)

    @routes.delete("/instance/logout/{instance}")
    async def log_out(instance: str, request: Request) -> JSONResponse:
        account = evolution_account(accounts, instance, request)
        if control.state(account) == "close":
            raise _refused(400, [f'The "{instance}" instance is not connected'])
        control.log_out(account)
        return JSONResponse({"status": "SUCCESS", "error": False, "response": {"message": "Instance logged out"}})

    @routes.get("/instance/fetchInstances")
    async def fetch_instances(request: Request, instanceName: str) -> JSONResponse:
        return JSONResponse([control.row(evolution_account(accounts, instanceName, request))])

    return routes


def evolution_webhook_routes(accounts: AccountRegistry) -> APIRouter:
    routes = APIRouter(prefix="/evolution/webhook", include_in_schema=False)

    @routes.post("/set/{instance}")
    async def set_webhook(instance: str, request: Request) -> JSONResponse:
        account = evolution_account(accounts, instance, request)
        webhook = (await _json(request)).get("webhook")
        if not isinstance(webhook, dict) or not webhook.get("url") or "enabled" not in webhook:
            raise _refused(400, [['instance requires property "webhook"']])
        if "events" not in webhook:  # as the real one
            raise _refused(500, ["Cannot read properties of undefined (reading 'length')"])
        if unknown := set(webhook["events"]) - EVENTS:
            raise _refused(400, [[f"{min(unknown)} is not one of enum values"]])
        account = _with_webhook(account, webhook)
        accounts.register(account)
        return JSONResponse(_webhook_row(account), 201)

    @routes.get("/find/{instance}")
    async def find_webhook(instance: str, request: Request) -> JSONResponse:
        return JSONResponse(_webhook_row(evolution_account(accounts, instance, request)))

    return routes


def _new_account(accounts: AccountRegistry, body: dict[str, Any], key: str) -> GatewayAccount:
    """A new account, whose key is the key of another one. The name is checked before the key, as Evolution does."""
    name = str(body.get("instanceName") or "")
    if accounts.get(AccountKey("evolution", name)) is not None:
        raise _refused(403, f'This name "{name}" is already in use.')
    if not any(is_key(key, other) for other in accounts.all() if other.driver == "evolution"):
        raise _refused(401, "Unauthorized")
    if body.get("integration") != "WHATSAPP-BAILEYS":
        raise _refused(400, ["Invalid integration"])
    credentials = {"api_key": key, "webhook_token": ""}
    account = GatewayAccount(name, name, "", "", "evolution", str(body.get("number") or ""), credentials)
    return _with_webhook(account, body.get("webhook"))


def _ended_by(state: AccountState, now: datetime) -> int | None:
    """The code with which WhatsApp ended the connection for good."""
    if state.disabled:
        return BANNED
    if state.session(now) == "failed" and state.connection != "failed":
        return TEMPORARY_BAN
    return STATES["unlinked"][1] if state.connection == "unlinked" else None


def _with_webhook(account: GatewayAccount, webhook: Any) -> GatewayAccount:
    if not isinstance(webhook, dict):
        return account
    authorization = str((webhook.get("headers") or {}).get("Authorization", ""))
    credentials = {**account.credentials, "webhook_token": authorization.removeprefix("Bearer ")}
    return replace(account, webhook_url=str(webhook["url"]), credentials=credentials, config=webhook)


def _webhook_row(account: GatewayAccount) -> dict[str, Any]:
    """An instance in the form of Evolution's answer, which is a row of its database."""
    webhook = account.config
    return {
        "id": f"cm{account.account}",
        "url": account.webhook_url,
        "headers": webhook.get("headers", {"Authorization": f"Bearer {account.credentials['webhook_token']}"}),
        "enabled": webhook.get("enabled", True),
        "events": webhook.get("events", []),
        "webhookByEvents": webhook.get("byEvents", False),
        "webhookBase64": webhook.get("base64", False),
        "instanceId": instance_id(account),
    }


async def _json(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise _refused(400, ["the body must be a JSON object"])
    return body


def _refused(status: int, message: Any) -> GatewayErrorResponse:
    return GatewayErrorResponse(error_response(status, message))
