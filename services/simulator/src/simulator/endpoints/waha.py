"""WAHA endpoints: sends, sessions and number checks in WAHA's format, which depends on the engine."""

import math
import secrets
from typing import Any, assert_never

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from simulator.accounts import AccountKey, AccountRegistry, GatewayAccount
from simulator.core.failures import WAHA_FAILURES
from simulator.core.faults import Refusal
from simulator.core.phone_numbers import chat_id
from simulator.dialects.dialect import SentMessage
from simulator.dialects.linked_forms import (
    WahaDocument,
    WahaImage,
    WahaSend,
    WahaText,
    WahaVideo,
    WahaVoice,
    error_texts,
)
from simulator.dialects.waha import STATUS, VERSION, baileys_key, own_contact, shown_lock, shown_message
from simulator.endpoints.disconnect import until_disconnected
from simulator.endpoints.problems import GatewayErrorResponse
from simulator.gateway import IncomingSend, MessageAccepted, NoAnswer, SendAnswer, SimulatedGateway
from simulator.metrics import SENDS
from simulator.whatsapp import WhatsAppNetwork
from spreader.contract.content import TextContent

FORMS: dict[str, type[WahaSend]] = {
    "sendText": WahaText,
    "sendImage": WahaImage,
    "sendVoice": WahaVoice,
    "sendVideo": WahaVideo,
    "sendFile": WahaDocument,
}
NO_STORE = (
    'Enable NOWEB store "config.noweb.store.enabled=True" and "config.noweb.store.full_sync=True" when starting a new '
    "session. Read more: https://waha.devlike.pro/docs/engines/noweb#store"
)
"""WAHA's own words."""
CODECS = {"sendImage": "image/", "sendVoice": "audio/ogg; codecs=opus", "sendVideo": "video/mp4"}


def waha_routes(gateway: SimulatedGateway, accounts: AccountRegistry, whatsapp: WhatsAppNetwork) -> APIRouter:
    routes = APIRouter(prefix="/waha", include_in_schema=False)

    for name, form in FORMS.items():
        routes.add_api_route(
            f"/api/{name}", _sender(name, form, gateway, accounts, whatsapp), methods=["POST"], name=name
        )

    @routes.get("/ping")
    async def ping() -> dict[str, str]:
        return {"message": "pong"}

    @routes.get("/api/sessions/{session}")
    async def session(session: str, request: Request) -> JSONResponse:
        account = waha_account(accounts, session, request)
        return JSONResponse(session_body(account, whatsapp))

    @routes.get("/api/{session}/chats/{chat}/messages")
    async def messages(session: str, chat: str, request: Request, limit: int = 10, offset: int = 0) -> JSONResponse:
        account = waha_account(accounts, session, request)
        if STATUS[whatsapp.session(account)] != "WORKING":
            return failed("422", account, STATUS[whatsapp.session(account)])
        if account.engine == "NOWEB" and not _has_store(account):
            raise GatewayErrorResponse(bad_request(NO_STORE))
        here = [sent for sent in gateway.shown_messages.of(account.key) if chat in _chat_names(account, sent)]
        return JSONResponse([shown_message(account, sent) for sent in here[offset : offset + limit]])

    @routes.get("/api/contacts/check-exists")
    async def check_exists(phone: str, session: str, request: Request) -> JSONResponse:
        account = waha_account(accounts, session, request)
        if not (phone.isdecimal() and 7 <= len(phone) <= 15):
            raise GatewayErrorResponse(bad_request(["phone must be digits"]))
        if not whatsapp.is_on_whatsapp(account, phone):
            return JSONResponse({"numberExists": False})
        known = whatsapp.known_number(account, phone)
        return JSONResponse({"numberExists": True, "chatId": chat_id(known, "c.us", account.behaviour.lid)})

    return routes


def _sender(
    name: str, form: type[WahaSend], gateway: SimulatedGateway, accounts: AccountRegistry, whatsapp: WhatsAppNetwork
) -> Any:
    async def send(request: Request) -> JSONResponse:
        sent = _form(form, name, await request.body(), accounts, request)
        account = waha_account(accounts, sent.session, request)
        recipient = sent.recipient
        if recipient is None:
            return failed("no_whatsapp", account)
        incoming = IncomingSend(None, recipient, sent.content(), sent.quote)
        answer = await gateway.send(account, incoming, lambda: until_disconnected(request))
        return _answer(answer, account, STATUS[whatsapp.session(account)])

    return send


def failed(
    code: str, account: GatewayAccount, status: str = "FAILED", retry_after_seconds: float | None = None
) -> JSONResponse:
    failure = WAHA_FAILURES[code]
    headers = {} if retry_after_seconds is None else {"Retry-After": str(math.ceil(retry_after_seconds))}
    match code:
        case "422":
            body: dict[str, Any] = {
                "error": failure.title,
                "session": account.account,
                "status": "FAILED" if status == "WORKING" else status,
                "expected": ["WORKING"],
            }
        case "not_implemented":
            body = {"message": failure.title, "error": "Unprocessable Entity", "statusCode": 422}
        case "500" | "463" | "479" | "error" | "stuck" | "no_whatsapp":
            message = f"{code}: {failure.title}" if code.isdecimal() else failure.title
            body = {
                "statusCode": failure.status,
                "timestamp": "2026-01-01T00:00:00.000Z",
                "exception": {"message": message, "name": "Error", "stack": f"Error: {message}"},
                "request": {"path": "/api/sendText", "method": "POST", "body": {}, "query": {}},
                "version": {"version": VERSION, "engine": account.engine, "tier": "CORE"},
            }
        case _:
            body = {"message": failure.title, "statusCode": failure.status}
    return JSONResponse(body, failure.status, headers)


def _form(form: type[WahaSend], name: str, raw: bytes, accounts: AccountRegistry, request: Request) -> WahaSend:
    """The posted form. The key is checked first, as WAHA does."""
    check_key(accounts, request)
    try:
        sent = form.model_validate_json(raw)
    except ValidationError as error:
        raise GatewayErrorResponse(bad_request(error_texts(error))) from None
    file = getattr(sent, "file", None)
    fits = file is None or file.mimetype.startswith(CODECS.get(name, ""))
    if not fits and not getattr(sent, "convert", False):
        raise GatewayErrorResponse(bad_request([f"file.mimetype: {name} takes {CODECS[name]}"]))
    return sent


def check_key(accounts: AccountRegistry, request: Request) -> str:
    key = request.headers.get("X-Api-Key", "")
    if not any(_is_key_of(key, account) for account in accounts.all() if account.driver == "waha"):
        raise GatewayErrorResponse(JSONResponse({"message": "Unauthorized", "statusCode": 401}, 401))
    return key


def waha_account(accounts: AccountRegistry, session: str, request: Request) -> GatewayAccount:
    key = check_key(accounts, request)
    account = accounts.get(AccountKey("waha", session))
    if account is None:
        message = f'Session "{session}" does not exist'
        raise GatewayErrorResponse(JSONResponse({"message": message, "error": "Not Found", "statusCode": 404}, 404))
    if not _is_key_of(key, account):
        raise GatewayErrorResponse(JSONResponse({"message": "Unauthorized", "statusCode": 401}, 401))
    return account


def _is_key_of(key: str, account: GatewayAccount) -> bool:
    return secrets.compare_digest(key.encode(), account.credentials["api_key"].encode())


def _has_store(account: GatewayAccount) -> bool:
    """Whether the session keeps its messages. With the engine NOWEB it keeps none unless its configuration says so."""
    noweb = account.config.get("noweb") or {}
    return bool((noweb.get("store") or {}).get("enabled"))


def _chat_names(account: GatewayAccount, sent: SentMessage) -> set[str]:
    return {chat_id(sent.recipient, "c.us", lid) for lid in (False, account.behaviour.lid)}


def bad_request(message: str | list[str]) -> JSONResponse:
    return JSONResponse({"message": message, "error": "Bad Request", "statusCode": 400}, 400)


def session_body(account: GatewayAccount, whatsapp: WhatsAppNetwork) -> dict[str, Any]:
    usual = {"metadata": {"profile.id": account.profile_id}, "webhooks": [{"url": account.webhook_url}]}
    config = account.config or usual
    me = {**own_contact(account), "reachoutTimelock": shown_lock(*whatsapp.chat_lock(account)), "messageCapping": None}
    status, engine = STATUS[whatsapp.session(account)], {"engine": account.engine}
    return {"name": account.account, "status": status, "config": config, "me": me, "engine": engine}


def _answer(answer: SendAnswer, account: GatewayAccount, status: str) -> JSONResponse:
    match answer:
        case MessageAccepted(sent):
            SENDS.labels("accepted").inc()
            return JSONResponse(_message(account, sent), 201)
        case Refusal(code, retry_after_seconds):
            SENDS.labels(code).inc()
            return failed(code, account, status, retry_after_seconds)
        case NoAnswer():
            SENDS.labels("none").inc()
            return failed("504", account)
        case _:
            assert_never(answer)


def _message(account: GatewayAccount, sent: SentMessage) -> dict[str, Any]:
    """The message in the engine's own format."""
    seconds = int(sent.at.timestamp())
    remote = chat_id(sent.recipient, "c.us", account.behaviour.lid)
    full_id = f"true_{remote}_{sent.message_id}"
    if account.engine == "WEBJS":
        name = {"fromMe": True, "remote": remote, "id": sent.message_id, "_serialized": full_id}
        return {"id": name, "ack": 0, "timestamp": seconds, "from": f"{account.phone}@c.us", "to": remote}
    if account.engine == "GOWS":
        return {"id": full_id, "timestamp": seconds, "from": f"{account.phone}@c.us", "fromMe": True, "to": remote}
    text = sent.content.text if isinstance(sent.content, TextContent) else ""
    message = {"extendedTextMessage": {"text": text}}
    return {"key": baileys_key(account, sent), "message": message, "messageTimestamp": str(seconds), "status": 1}
