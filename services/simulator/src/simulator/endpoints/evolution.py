"""Evolution endpoints: sends, connection states and number checks in Evolution's format."""

import math
import secrets
from typing import Any, assert_never

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from simulator.accounts import AccountKey, AccountRegistry, GatewayAccount
from simulator.core.failures import EVOLUTION_FAILURES
from simulator.core.faults import Refusal
from simulator.core.phone_numbers import hide_number
from simulator.dialects.evolution import STATES, sent_message
from simulator.dialects.linked_forms import (
    EvolutionAudio,
    EvolutionMedia,
    EvolutionSend,
    EvolutionText,
    InvalidMedia,
    Number,
    error_texts,
)
from simulator.endpoints.disconnect import until_disconnected
from simulator.endpoints.problems import GatewayErrorResponse
from simulator.gateway import IncomingSend, MessageAccepted, NoAnswer, SendAnswer, SimulatedGateway
from simulator.metrics import SENDS
from simulator.whatsapp import WhatsAppNetwork

FORMS: dict[str, type[EvolutionSend]] = {
    "sendText": EvolutionText,
    "sendMedia": EvolutionMedia,
    "sendWhatsAppAudio": EvolutionAudio,
}
NUMBERS_MAX = 1000
REASONS = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 429: "Too Many Requests"}


class EvolutionNumberCheck(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    numbers: tuple[Number, ...] = Field(min_length=1, max_length=NUMBERS_MAX)


def evolution_routes(gateway: SimulatedGateway, accounts: AccountRegistry, whatsapp: WhatsAppNetwork) -> APIRouter:
    routes = APIRouter(prefix="/evolution", include_in_schema=False)

    for name, form in FORMS.items():
        path = f"/message/{name}/{{instance}}"
        routes.add_api_route(path, _sender(form, gateway, accounts, whatsapp), methods=["POST"], name=name)

    @routes.get("/instance/connectionState/{instance}")
    async def state(instance: str, request: Request) -> JSONResponse:
        account = evolution_account(accounts, instance, request)
        state, _ = STATES[whatsapp.session(account)]
        return JSONResponse({"instance": {"instanceName": account.account, "state": state}})

    @routes.post("/chat/whatsappNumbers/{instance}")
    async def check_numbers(instance: str, request: Request) -> JSONResponse:
        account = evolution_account(accounts, instance, request)
        try:
            numbers = EvolutionNumberCheck.model_validate_json(await request.body()).numbers
        except ValidationError as error:
            raise GatewayErrorResponse(error_response(400, error_texts(error))) from None
        plain = [number.split("@")[0] for number in numbers]
        known = {number: whatsapp.known_number(account, number) for number in plain}
        return JSONResponse(
            [
                _existence(account, number, whatsapp.is_on_whatsapp(account, known[number]), known[number])
                for number in plain
            ]
        )

    return routes


def _sender(
    form: type[EvolutionSend], gateway: SimulatedGateway, accounts: AccountRegistry, whatsapp: WhatsAppNetwork
) -> Any:
    async def send(instance: str, request: Request) -> JSONResponse:
        account = evolution_account(accounts, instance, request)
        try:
            sent = form.model_validate_json(await request.body())
            content = sent.content()
        except InvalidMedia:
            return failed("media", account, "")
        except ValidationError as error:
            return error_response(400, error_texts(error))
        recipient = sent.recipient
        if recipient is None:
            return failed("no_whatsapp", account, sent.number)
        recipient = whatsapp.known_number(account, recipient)  # Evolution looks the number up at WhatsApp
        incoming = IncomingSend(None, recipient, content, sent.quote)
        answer = await gateway.send(account, incoming, lambda: until_disconnected(request))
        return _answer(answer, account, recipient)

    return send


def failed(
    code: str, account: GatewayAccount, recipient: str, retry_after_seconds: float | None = None
) -> JSONResponse:
    """The answer for a failure. All failures of the engine have the status 400, and only the message distinguishes
    them."""
    failure = EVOLUTION_FAILURES[code]
    match code:
        case "no_whatsapp":
            message: Any = [_existence(account, recipient, False, recipient)]
        case "404":
            message = [f'The "{account.account}" instance does not exist']
        case "401" | "403" | "429" | "500" | "502" | "503" | "504":
            message = failure.title
        case _:
            title = failure.title if failure.transport_only else f"Error: {failure.title}"
            message = [f"{title} ({code})" if code.isdecimal() else title]
    return error_response(failure.status, message, retry_after_seconds)


def error_response(status: int, message: Any, retry_after_seconds: float | None = None) -> JSONResponse:
    headers = {} if retry_after_seconds is None else {"Retry-After": str(math.ceil(retry_after_seconds))}
    body = {"status": status, "error": REASONS.get(status, "Internal Server Error"), "response": {"message": message}}
    return JSONResponse(body, status, headers)


def evolution_account(accounts: AccountRegistry, instance: str, request: Request) -> GatewayAccount:
    """The account, if the key is valid for it. The instance is checked before the key, as Evolution does."""
    account = accounts.get(AccountKey("evolution", instance))
    key = request.headers.get("apikey", "")
    if account is None:
        raise GatewayErrorResponse(error_response(404, [f'The "{instance}" instance does not exist']))
    if not is_key(key, account):
        raise GatewayErrorResponse(error_response(401, "Unauthorized"))
    return account


def is_key(key: str, account: GatewayAccount) -> bool:
    return secrets.compare_digest(key.encode(), account.credentials["api_key"].encode())


def _existence(account: GatewayAccount, number: str, exists: bool, known: str) -> dict[str, Any]:
    """The result of a number check. `known` is the number under which WhatsApp knows the customer."""
    result: dict[str, Any] = {"jid": f"{known}@s.whatsapp.net", "exists": exists, "number": number}
    return {**result, "lid": f"{hide_number(known)}@lid"} if exists and account.behaviour.lid else result


def _answer(answer: SendAnswer, account: GatewayAccount, recipient: str) -> JSONResponse:
    match answer:
        case MessageAccepted(sent):
            SENDS.labels("accepted").inc()
            return JSONResponse(sent_message(account, sent), 201)
        case Refusal(code, retry_after_seconds):
            SENDS.labels(code).inc()
            return failed(code, account, recipient, retry_after_seconds)
        case NoAnswer():
            SENDS.labels("none").inc()
            return failed("504", account, recipient)
        case _:
            assert_never(answer)
