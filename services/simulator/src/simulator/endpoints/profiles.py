"""Profile endpoints: what the sender's driver calls, and what a customer does with a profile."""

import math
from typing import Annotated, Any, assert_never

from fastapi import APIRouter, Body, Depends, Path, Request
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from simulator.accounts import Account, Accounts, Key
from simulator.callbacks import Callbacks
from simulator.core.failures import OWN
from simulator.core.faults import Refusal
from simulator.endpoints.problems import Problem
from simulator.gateway import Accepted, Delivery, Gateway, SendAnswer, Silence
from simulator.ledger import Ledger
from simulator.metrics import SENDS
from simulator.wire import (
    ACCOUNT_CHARACTERS_MAX,
    CustomerWrites,
    Registration,
    SendRequest,
    content_errors,
    field_errors,
    problem,
)
from spreader.contract.ids import Id, PhoneNumber

AccountPath = Annotated[str, Path(min_length=1, max_length=ACCOUNT_CHARACTERS_MAX)]
SEND_BODY = {"content": {"application/json": {"schema": SendRequest.model_json_schema()}}, "required": True}


def profile_routes(gateway: Gateway, accounts: Accounts, ledger: Ledger, callbacks: Callbacks) -> APIRouter:
    routes = APIRouter()

    async def registered(request: Request, account: AccountPath) -> Account:
        known = accounts.of(Key("simulator", account))
        if known is not None:
            return known
        found = await accounts.wait_for(account)
        # Whoever has left meanwhile has been told by GET that nothing went out, and may have sent it again.
        if found is None or found.driver != "simulator" or await request.is_disconnected():
            raise Problem(503, "profile_unknown", f"No profile is registered for it: PUT /profiles/{account} first.")
        return found

    @routes.put("/profiles/{account}", tags=["driver"])
    async def register(account: AccountPath, registration: Registration) -> dict[str, Any]:
        accounts.register(Account(account, **registration.model_dump()))
        return {"account": account, **registration.model_dump()}

    @routes.get("/profiles", tags=["driver"])
    async def registrations() -> dict[str, Any]:
        return {"data": [_shown(each) for each in accounts.all() if each.driver == "simulator"]}

    @routes.post(
        "/profiles/{account}/messages", tags=["driver"], status_code=201, openapi_extra={"requestBody": SEND_BODY}
    )
    async def send(
        request: Request,
        delivery: Annotated[Delivery, Depends(_delivery)],
        account: Annotated[Account, Depends(registered)],
    ) -> JSONResponse:
        return _response(await gateway.send(account, delivery, lambda: leaving(request)))

    @routes.get("/profiles/{account}/messages/{delivery_id}", tags=["driver"])
    async def find(account: AccountPath, delivery_id: Id) -> dict[str, str]:
        found = ledger.find(account, delivery_id)
        if found is None:
            raise Problem(404, "not_found", f"The account {account} has not sent {delivery_id}.")
        return found

    @routes.post("/customers/{phone}/messages", tags=["customer"], status_code=202)
    async def write(phone: PhoneNumber, message: Annotated[CustomerWrites, Body()]) -> dict[str, str]:
        account = await accounts.wait_for(message.profile)
        if account is None:
            raise Problem(404, "profile_unknown", f"No profile is registered as {message.profile}.")
        if callbacks.full:
            raise Problem(503, "busy", "Too many callbacks wait for their webhooks. Try again later.")
        message_id = gateway.take_from_customer(account, phone, message.text)
        # Whoever answers this customer after our 202 can count on the webhook having been called, if it takes calls.
        await callbacks.taken(message_id)
        return {"message_id": message_id}

    return routes


async def _delivery(request: Request) -> Delivery:
    try:
        sent = SendRequest.model_validate_json(await request.body())
    except ValidationError as error:
        errors = field_errors(list(error.errors(include_url=False)), strip=0)
        raise Problem(400, "invalid", "The send cannot be read.", errors=errors) from None
    try:
        return Delivery(sent.delivery_id, sent.to, sent.content())
    except ValidationError as error:
        raise Problem(
            400, "content_refused", "The content is not one that WhatsApp carries.", errors=content_errors(error)
        ) from None


async def leaving(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _shown(account: Account) -> dict[str, str]:
    return {
        "account": account.account,
        "profile_id": account.profile_id,
        "package_id": account.package_id,
        "webhook_url": account.webhook_url,
    }


def _response(answer: SendAnswer) -> JSONResponse:
    match answer:
        case Accepted(sent):
            SENDS.labels("accepted").inc()
            return JSONResponse({"message_id": sent.message_id, "status": "accepted"}, 201)
        case Refusal(code, retry_after_seconds):
            SENDS.labels(code).inc()
            wait = {} if retry_after_seconds is None else {"Retry-After": str(math.ceil(retry_after_seconds))}
            return JSONResponse(problem(code, f"A fault of the simulator: {code}."), OWN[code].status, wait)
        case Silence():
            SENDS.labels("none").inc()
            return JSONResponse(problem("transient", "A fault of the simulator: the send hung."), 500)
        case _:
            assert_never(answer)
