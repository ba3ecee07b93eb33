"""Account endpoints: a tester sets up accounts of the simulated gateways, and makes something happen to them."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Path

from simulator.accounts import AccountKey, AccountRegistry, GatewayAccount
from simulator.endpoints.problems import RequestProblem
from simulator.gateway import SimulatedGateway
from simulator.report_schemas import ReportRequest
from simulator.schemas import ACCOUNT_CHARACTERS_MAX, AccountRegistration
from simulator.webhook_caller import WebhookCaller
from simulator.whatsapp import WhatsAppNetwork
from spreader.clock import Clock

Driver = Literal["cloud_api", "waha", "evolution"]
AccountPath = Annotated[str, Path(min_length=1, max_length=ACCOUNT_CHARACTERS_MAX)]

CREDENTIALS: dict[Driver, set[str]] = {
    "cloud_api": {"access_token", "app_secret", "verify_token"},
    "waha": {"api_key", "hmac_key"},
    "evolution": {"api_key", "webhook_token"},
}


def account_routes(
    accounts: AccountRegistry,
    gateway: SimulatedGateway,
    whatsapp: WhatsAppNetwork,
    webhook_caller: WebhookCaller,
    clock: Clock,
) -> APIRouter:
    routes = APIRouter(prefix="/accounts", tags=["accounts"])

    @routes.put("/{driver}/{account}")
    async def register(driver: Driver, account: AccountPath, registration: AccountRegistration) -> dict[str, Any]:
        _check(driver, account, registration)
        waba_id = (registration.waba_id or f"1{account}") if driver == "cloud_api" else ""
        fields: dict[str, Any] = {**dict(registration), "waba_id": waba_id}
        accounts.register(GatewayAccount(account, driver=driver, **fields))
        return _shown(_found(accounts, driver, account), whatsapp, clock())

    @routes.get("")
    async def list_all() -> dict[str, Any]:
        return {
            "data": [_shown(account, whatsapp, clock()) for account in accounts.all() if account.driver != "simulator"]
        }

    @routes.get("/{driver}/{account}")
    async def show(driver: Driver, account: AccountPath) -> dict[str, Any]:
        return _shown(_found(accounts, driver, account), whatsapp, clock())

    @routes.delete("/{driver}/{account}")
    async def remove(driver: Driver, account: AccountPath) -> dict[str, int]:
        registered = _found(accounts, driver, account)
        accounts.remove(registered.key)
        whatsapp.forget(registered)
        gateway.shown_messages.forget(registered.key)
        return {"removed": 1}

    @routes.post("/cloud_api/{account}/verification")
    async def verify(account: AccountPath) -> dict[str, bool]:
        return {"verified": await webhook_caller.verify(_found(accounts, "cloud_api", account))}

    @routes.post("/{driver}/{account}/reports", status_code=202)
    async def report(driver: Driver, account: AccountPath, request: Annotated[ReportRequest, Body()]) -> dict[str, Any]:
        registered = _found(accounts, driver, account)
        gateway.report(registered, request.report(clock()))
        return _shown(registered, whatsapp, clock())

    return routes


def _found(accounts: AccountRegistry, driver: Driver, account: str) -> GatewayAccount:
    registered = accounts.get(AccountKey(driver, account))
    if registered is None:
        raise RequestProblem(
            404, "not_found", f"No account {account} is registered at {driver}: PUT /accounts/{driver}/{account} first."
        )
    return registered


def _check(driver: Driver, account: str, registration: AccountRegistration) -> None:
    errors: list[dict[str, str]] = []
    required, given = CREDENTIALS[driver], registration.credentials
    if set(given) != required or not all(given.values()):
        names = ", ".join(sorted(required))
        errors.append(
            {"pointer": "/credentials", "detail": f"{driver} needs exactly these, none of them empty: {names}"}
        )
    if driver == "cloud_api" and not account.isdecimal():
        errors.append(
            {
                "pointer": "/account",
                "detail": "an account of the Cloud API is a phone number id, which consists of digits",
            }
        )
    if errors:
        raise RequestProblem(422, "invalid", "The request is not valid.", errors=errors)


def _shown(account: GatewayAccount, whatsapp: WhatsAppNetwork, now: datetime) -> dict[str, Any]:
    """The account with its state at WhatsApp, without its credentials."""
    state = whatsapp.state(account)
    return {
        "driver": account.driver,
        "account": account.account,
        "profile_id": account.profile_id,
        "package_id": account.package_id,
        "webhook_url": account.webhook_url,
        "phone": account.phone,
        "waba_id": account.waba_id or None,
        "engine": account.engine if account.driver == "waha" else None,
        "behaviour": account.behaviour.model_dump(mode="json"),
        "standing": {
            "session": state.session(now),
            "banned_until": state.banned_until,
            "locked_until": state.lock.until,
            "locks": state.lock.locks,
            "quality": whatsapp.quality(account),
            "warning": state.warning,
            "contacts": len(state.contacts),
        },
    }
