"""Profile endpoints: the simulator's own send protocol, and messages from customers."""

import math
from typing import Annotated, Any, assert_never

from fastapi import APIRouter, Body, Depends, Path, Request
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from simulator.accounts import AccountKey, AccountRegistry, GatewayAccount
from simulator.core.failures import OWN_FAILURES
from simulator.core.faults import Refusal
from simulator.endpoints.disconnect import until_disconnected
from simulator.endpoints.problems import RequestProblem
from simulator.gateway import IncomingSend, MessageAccepted, NoAnswer, SendAnswer, SimulatedGateway
from simulator.metrics import SENDS
from simulator.schemas import (
    ACCOUNT_CHARACTERS_MAX,
    CustomerMessageRequest,
    OwnRegistration,
    SendRequest,
    content_errors,
    error_body,
    field_errors,
)
from simulator.send_ledger import SendLedger
from simulator.webhook_caller import WebhookCaller
from spreader.contract.ids import Id, PhoneNumber

AccountPath = Annotated[str, Path(min_length=1, max_length=ACCOUNT_CHARACTERS_MAX)]
SEND_BODY = {"content": {"application/json": {"schema": SendRequest.model_json_schema()}}, "required": True}


def profile_routes(
    gateway: SimulatedGateway, accounts: AccountRegistry, ledger: SendLedger, webhook_caller: WebhookCaller
) -> APIRouter:
    routes = APIRouter()

    async def registered_account(request: Request, account: AccountPath) -> GatewayAccount:
        registered = accounts.get(AccountKey("simulator", account))
        if registered is not None:
            return registered
        registered = await accounts.wait_for(account)
        # Do not send if the caller has disconnected during the wait. The caller may have asked by GET whether the
        # message was sent. If the answer was no, it may have sent the message again.
        if registered is None or registered.driver != "simulator" or await request.is_disconnected():
            raise RequestProblem(
                503, "profile_unknown", f"No profile is registered as {account}: PUT /profiles/{account} first."
            )
        return registered

    @routes.put("/profiles/{account}", tags=["driver"])
    async def register(account: AccountPath, registration: OwnRegistration) -> dict[str, Any]:
        accounts.register(GatewayAccount(account, **registration.model_dump()))
        return {"account": account, **registration.model_dump()}

    @routes.get("/profiles", tags=["driver"])
    async def registrations() -> dict[str, Any]:
        return {"data": [_shown(account) for account in accounts.all() if account.driver == "simulator"]}

    @routes.post(
        "/profiles/{account}/messages", tags=["driver"], status_code=201, openapi_extra={"requestBody": SEND_BODY}
    )
    async def send(
        request: Request,
        incoming: Annotated[IncomingSend, Depends(_incoming_send)],
        account: Annotated[GatewayAccount, Depends(registered_account)],
    ) -> JSONResponse:
        return _response(await gateway.send(account, incoming, lambda: until_disconnected(request)))

    @routes.get("/profiles/{account}/messages/{delivery_id}", tags=["driver"])
    async def find(account: AccountPath, delivery_id: Id) -> dict[str, str]:
        found = ledger.find(account, delivery_id)
        if found is None:
            raise RequestProblem(404, "not_found", f"The account {account} has not sent {delivery_id}.")
        return found

    @routes.post("/customers/{phone}/messages", tags=["customer"], status_code=202)
    async def write(phone: PhoneNumber, message: Annotated[CustomerMessageRequest, Body()]) -> dict[str, str]:
        account = await accounts.wait_for(message.profile)
        if account is None:
            raise RequestProblem(404, "profile_unknown", f"No profile is registered as {message.profile}.")
        if webhook_caller.is_full:
            raise RequestProblem(503, "busy", "Too many webhook calls are waiting. Try again later.")
        message_id = gateway.accept_customer_message(account, phone, message.text)
        # Wait until the webhook has accepted the message, so that a tester can reply right after this response.
        await webhook_caller.wait_until_accepted(message_id)
        return {"message_id": message_id}

    return routes


async def _incoming_send(request: Request) -> IncomingSend:
    try:
        sent = SendRequest.model_validate_json(await request.body())
    except ValidationError as error:
        errors = field_errors(list(error.errors(include_url=False)), strip=0)
        raise RequestProblem(400, "invalid", "The body is not a valid send.", errors=errors) from None
    try:
        return IncomingSend(sent.delivery_id, sent.to, sent.content())
    except ValidationError as error:
        raise RequestProblem(
            400, "content_refused", "WhatsApp cannot carry this content.", errors=content_errors(error)
        ) from None


def _shown(account: GatewayAccount) -> dict[str, str]:
    return {
        "account": account.account,
        "profile_id": account.profile_id,
        "package_id": account.package_id,
        "webhook_url": account.webhook_url,
    }


def _response(answer: SendAnswer) -> JSONResponse:
    match answer:
        case MessageAccepted(sent):
            SENDS.labels("accepted").inc()
            return JSONResponse({"message_id": sent.message_id, "status": "accepted"}, 201)
        case Refusal(code, retry_after_seconds):
            SENDS.labels(code).inc()
            wait = {} if retry_after_seconds is None else {"Retry-After": str(math.ceil(retry_after_seconds))}
            return JSONResponse(error_body(code, f"Injected fault: {code}."), OWN_FAILURES[code].status, wait)
        case NoAnswer():
            SENDS.labels("none").inc()
            return JSONResponse(error_body("transient", "Injected fault: the send hung."), 500)
        case _:
            assert_never(answer)
