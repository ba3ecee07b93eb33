"""Evolution endpoints: sends, the state of a connection and number checks, with Evolution's answers."""

import math
import secrets
from typing import Any, assert_never

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from simulator.accounts import Account, Accounts, Key
from simulator.core.failures import EVOLUTION
from simulator.core.faults import Refusal
from simulator.core.hidden import hidden
from simulator.dialects.evolution import STATES, sent_message
from simulator.dialects.linked_forms import (
    EvolutionAudio,
    EvolutionMedia,
    EvolutionSend,
    EvolutionText,
    Number,
    Unowned,
    complaints,
)
from simulator.endpoints.problems import Refused
from simulator.endpoints.profiles import leaving
from simulator.gateway import Accepted, Delivery, Gateway, SendAnswer, Silence
from simulator.metrics import SENDS
from simulator.whatsapp import WhatsApp

FORMS: dict[str, type[EvolutionSend]] = {
    "sendText": EvolutionText,
    "sendMedia": EvolutionMedia,
    "sendWhatsAppAudio": EvolutionAudio,
}
NUMBERS_MAX = 1000
REASONS = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 429: "Too Many Requests"}


class Numbers(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    numbers: tuple[Number, ...] = Field(min_length=1, max_length=NUMBERS_MAX)


def evolution_routes(gateway: Gateway, accounts: Accounts, whatsapp: WhatsApp) -> APIRouter:
    routes = APIRouter(prefix="/evolution", include_in_schema=False)

    for name, form in FORMS.items():
        path = f"/message/{name}/{{instance}}"
        routes.add_api_route(path, _sender(form, gateway, accounts, whatsapp), methods=["POST"], name=name)

    @routes.get("/instance/connectionState/{instance}")
    async def state(instance: str, request: Request) -> JSONResponse:
        account = _account(accounts, instance, request)
        state, _ = STATES[whatsapp.session(account)]
        return JSONResponse({"instance": {"instanceName": account.account, "state": state}})

    @routes.post("/chat/whatsappNumbers/{instance}")
    async def numbers(instance: str, request: Request) -> JSONResponse:
        account = _account(accounts, instance, request)
        try:
            asked = Numbers.model_validate_json(await request.body()).numbers
        except ValidationError as error:
            raise Refused(_error(400, complaints(error))) from None
        plain = [number.split("@")[0] for number in asked]
        known = {number: whatsapp.known_number(account, number) for number in plain}
        return JSONResponse(
            [_existence(account, number, whatsapp.has(account, known[number]), known[number]) for number in plain]
        )

    return routes


def _sender(form: type[EvolutionSend], gateway: Gateway, accounts: Accounts, whatsapp: WhatsApp) -> Any:
    async def send(instance: str, request: Request) -> JSONResponse:
        account = _account(accounts, instance, request)
        try:
            sent = form.model_validate_json(await request.body())
            content = sent.content()
        except Unowned:
            return failed("media", account, "")
        except ValidationError as error:
            return _error(400, complaints(error))
        recipient = sent.recipient
        if recipient is None:
            return failed("no_whatsapp", account, sent.number)
        recipient = whatsapp.known_number(account, recipient)  # Evolution asks WhatsApp by itself
        delivery = Delivery(None, recipient, content, sent.quote)
        answer = await gateway.send(account, delivery, lambda: leaving(request))
        return _answer(answer, account, recipient)

    return send


def failed(code: str, account: Account, recipient: str, retry_after_seconds: float | None = None) -> JSONResponse:
    """Whatever goes wrong in the engine is a 400; only the words tell what it was."""
    failure = EVOLUTION[code]
    match code:
        case "no_whatsapp":
            said: Any = [_existence(account, recipient, False, recipient)]
        case "404":
            said = [f'The "{account.account}" instance does not exist']
        case "401" | "403" | "429" | "500" | "502" | "503" | "504":
            said = failure.title
        case _:
            title = failure.title if failure.only_answered else f"Error: {failure.title}"
            said = [f"{title} ({code})" if code.isdecimal() else title]
    return _error(failure.status, said, retry_after_seconds)


def _error(status: int, said: Any, retry_after_seconds: float | None = None) -> JSONResponse:
    headers = {} if retry_after_seconds is None else {"Retry-After": str(math.ceil(retry_after_seconds))}
    body = {"status": status, "error": REASONS.get(status, "Internal Server Error"), "response": {"message": said}}
    return JSONResponse(body, status, headers)


def _account(accounts: Accounts, instance: str, request: Request) -> Account:
    """The one whose key it is. As at Evolution, an unknown instance is told before a wrong key."""
    account = accounts.of(Key("evolution", instance))
    key = request.headers.get("apikey", "")
    if account is None:
        raise Refused(_error(404, [f'The "{instance}" instance does not exist']))
    if not secrets.compare_digest(key.encode(), account.credentials["api_key"].encode()):
        raise Refused(_error(401, "Unauthorized"))
    return account


def _existence(account: Account, number: str, exists: bool, known: str) -> dict[str, Any]:
    """`known`: the number under which WhatsApp knows it."""
    found: dict[str, Any] = {"jid": f"{known}@s.whatsapp.net", "exists": exists, "number": number}
    return {**found, "lid": f"{hidden(known)}@lid"} if exists and account.behaviour.lid else found


def _answer(answer: SendAnswer, account: Account, recipient: str) -> JSONResponse:
    match answer:
        case Accepted(sent):
            SENDS.labels("accepted").inc()
            return JSONResponse(sent_message(account, sent), 201)
        case Refusal(code, retry_after_seconds):
            SENDS.labels(code).inc()
            return failed(code, account, recipient, retry_after_seconds)
        case Silence():
            SENDS.labels("none").inc()
            return failed("504", account, recipient)
        case _:
            assert_never(answer)
