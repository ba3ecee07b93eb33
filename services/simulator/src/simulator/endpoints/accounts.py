"""Account endpoints: the set-up of the gateways that we stand in for, which their operators or Meta's dashboard do."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Path

from simulator.accounts import Account, Accounts, Key
from simulator.callbacks import Callbacks
from simulator.endpoints.problems import Problem
from simulator.gateway import Gateway
from simulator.report_forms import ReportRequest
from simulator.whatsapp import WhatsApp
from simulator.wire import ACCOUNT_CHARACTERS_MAX, AccountRegistration
from spreader.clock import Clock

Driver = Literal["cloud_api", "waha", "evolution"]
AccountPath = Annotated[str, Path(min_length=1, max_length=ACCOUNT_CHARACTERS_MAX)]

CREDENTIALS: dict[Driver, set[str]] = {
    "cloud_api": {"access_token", "app_secret", "verify_token"},
    "waha": {"api_key", "hmac_key"},
    "evolution": {"api_key", "webhook_token"},
}


def account_routes(
    accounts: Accounts, gateway: Gateway, whatsapp: WhatsApp, callbacks: Callbacks, clock: Clock
) -> APIRouter:
    routes = APIRouter(prefix="/accounts", tags=["accounts"])

    @routes.put("/{driver}/{account}")
    async def register(driver: Driver, account: AccountPath, registration: AccountRegistration) -> dict[str, Any]:
        _check(driver, account, registration)
        waba_id = (registration.waba_id or f"1{account}") if driver == "cloud_api" else ""
        fields: dict[str, Any] = {**dict(registration), "waba_id": waba_id}
        accounts.register(Account(account, driver=driver, **fields))
        return _shown(_found(accounts, driver, account), whatsapp, clock())

    @routes.get("")
    async def list_all() -> dict[str, Any]:
        return {"data": [_shown(each, whatsapp, clock()) for each in accounts.all() if each.driver != "simulator"]}

    @routes.get("/{driver}/{account}")
    async def show(driver: Driver, account: AccountPath) -> dict[str, Any]:
        return _shown(_found(accounts, driver, account), whatsapp, clock())

    @routes.delete("/{driver}/{account}")
    async def remove(driver: Driver, account: AccountPath) -> dict[str, int]:
        found = _found(accounts, driver, account)
        accounts.remove(found.key)
        whatsapp.forget(found)
        return {"removed": 1}

    @routes.post("/cloud_api/{account}/verification")
    async def verify(account: AccountPath) -> dict[str, bool]:
        return {"verified": await callbacks.verify(_found(accounts, "cloud_api", account))}

    @routes.post("/{driver}/{account}/reports", status_code=202)
    async def report(driver: Driver, account: AccountPath, said: Annotated[ReportRequest, Body()]) -> dict[str, Any]:
        found = _found(accounts, driver, account)
        gateway.report(found, said.report(clock()))
        return _shown(found, whatsapp, clock())

    return routes


def _found(accounts: Accounts, driver: Driver, account: str) -> Account:
    found = accounts.of(Key(driver, account))
    if found is None:
        raise Problem(404, "not_found", f"No account {account} is registered at {driver}.")
    return found


def _check(driver: Driver, account: str, registration: AccountRegistration) -> None:
    errors: list[dict[str, str]] = []
    wanted, given = CREDENTIALS[driver], registration.credentials
    if set(given) != wanted or not all(given.values()):
        names = ", ".join(sorted(wanted))
        errors.append({"pointer": "/credentials", "detail": f"{driver} has exactly these, none of them empty: {names}"})
    if driver == "cloud_api" and not account.isdecimal():
        errors.append({"pointer": "/account", "detail": "an account of the Cloud API is a phone number id: digits"})
    if errors:
        raise Problem(422, "invalid", "The request is not valid.", errors=errors)


def _shown(account: Account, whatsapp: WhatsApp, now: datetime) -> dict[str, Any]:
    """All but the credentials, with how it stands with WhatsApp."""
    standing = whatsapp.standing(account)
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
            "session": standing.session(now),
            "banned_until": standing.banned_until,
            "locked_until": standing.lock.until,
            "locks": standing.lock.locks,
            "quality": whatsapp.quality(account),
            "warning": standing.warning,
            "contacts": len(standing.contacts),
        },
    }
