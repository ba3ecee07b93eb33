"""Cloud API subscriptions: the accounts of an access token, their numbers, and where an app gets their webhooks."""

import json
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from simulator.accounts import AccountRegistry, GatewayAccount
from simulator.endpoints.cloud_api import Version, is_token_of, refused
from simulator.endpoints.problems import GatewayErrorResponse
from simulator.webhook_caller import WebhookCaller

APP = {"id": "1234567890123456", "name": "Business Messaging App", "link": "https://www.facebook.com/games/?app_id=1"}


def cloud_subscription_routes(accounts: AccountRegistry, webhook_caller: WebhookCaller) -> APIRouter:
    routes = APIRouter(prefix="/cloud/{version}", include_in_schema=False)

    def numbers_of(request: Request, waba_id: str | None = None) -> list[GatewayAccount]:
        """The numbers that the access token may use. Raises an error in Meta's form if it may use none."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        cloud = [each for each in accounts.all() if each.driver == "cloud_api"]
        mine = [each for each in cloud if scheme == "Bearer" and is_token_of(token, each)]
        if not mine:
            raise refused("190", "Invalid OAuth access token - Cannot parse access token")
        here = [each for each in mine if waba_id in (None, each.waba_id)]
        if not here:
            raise refused("100", f"Unsupported request. Object with ID '{waba_id}' does not exist")
        return here

    @routes.get("/me/assigned_whatsapp_business_accounts")
    async def business_accounts(version: Version, request: Request) -> JSONResponse:
        ids = dict.fromkeys(account.waba_id for account in numbers_of(request))
        return JSONResponse({"data": [{"id": waba_id} for waba_id in ids]})

    @routes.get("/{waba_id}/phone_numbers")
    async def phone_numbers(version: Version, waba_id: str, request: Request) -> JSONResponse:
        return JSONResponse({"data": [{"id": account.account} for account in numbers_of(request, waba_id)]})

    @routes.get("/{waba_id}/subscribed_apps")
    async def subscriptions(version: Version, waba_id: str, request: Request) -> JSONResponse:
        (account, *_) = numbers_of(request, waba_id)
        app = {"whatsapp_business_api_data": APP, "override_callback_uri": account.webhook_url}
        return JSONResponse({"data": [app]})

    @routes.post("/{waba_id}/subscribed_apps")
    async def subscribe(version: Version, waba_id: str, request: Request) -> JSONResponse:
        numbers, body = numbers_of(request, waba_id), await _json(request)
        url, token = body.get("override_callback_uri"), body.get("verify_token")
        if url is None:
            return JSONResponse({"success": True})
        for account in numbers:
            asked = replace(
                account, webhook_url=str(url), credentials={**account.credentials, "verify_token": str(token)}
            )
            if not await webhook_caller.verify(asked):
                error = {
                    "message": "(#2200) Callback verification failed with the following errors: HTTP Status Code = 403",
                    "type": "OAuthException",
                    "code": 2200,
                    "fbtrace_id": "AbCdEf",
                }
                raise GatewayErrorResponse(JSONResponse({"error": error}, 400))
            accounts.register(replace(account, webhook_url=str(url)))
        return JSONResponse({"success": True})

    return routes


async def _json(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise refused("100", "The body must be a JSON object")
    return body
