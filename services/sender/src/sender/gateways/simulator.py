"""Simulator driver: sends through the simulator, our own stand-in for a gateway (services/simulator)."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from sender.core.delivery import Delivery
from sender.core.gateway_answer import (
    GatewayAnswer,
    LookupFailed,
    LookupResult,
    MessageFound,
    MessageNotFound,
    SendAccepted,
    SendInDoubt,
    SendRefused,
)
from sender.core.retry_policy import RefusalClass
from sender.core.session_states import ProfileCheck
from sender.gateways.driver import NumberCheck, PreparedSend
from sender.gateways.http_client import GatewayCall, GatewayClient, HttpResponse, NoResponse, NotReached
from spreader.contract.configuration import Profile
from spreader.contract.content import content_json
from spreader.text.clean_text import clean, clean_id

FAILURES: Mapping[str, RefusalClass] = {
    "transient": "transient",
    "throttled": "throttled",
    "profile_blocked": "profile",
    "profile_unknown": "transient",
    "not_ready": "transient",
    "not_kept": "transient",
    "busy": "transient",
    "recipient_invalid": "recipient",
    "content_refused": "content",
    "invalid": "content",
}
"""The simulator's error codes. Any other code leaves open whether the delivery was sent."""


class RegistrationRefused(Exception):
    """The simulator did not register a profile."""


class SimulatorDriver:
    def __init__(self, client: GatewayClient, call_seconds: float, ingress_url: str) -> None:
        self._client = client
        self._call_seconds = call_seconds
        self._ingress_url = ingress_url.rstrip("/")

    async def prepare(self, delivery: Delivery, profile: Profile) -> PreparedSend:
        content = json.loads(content_json(delivery.content))
        body = {"delivery_id": delivery.delivery_id, "to": delivery.recipient, **content}
        headers = {} if delivery.traceparent is None else {"traceparent": delivery.traceparent}
        return PreparedSend(f"{_account_url(profile)}/messages", headers, body)

    async def send(self, prepared: PreparedSend, delivery: Delivery, profile: Profile) -> GatewayAnswer:
        try:
            async with asyncio.timeout(self._call_seconds):  # includes the lookup after a refusal
                match await self._client.call(GatewayCall("POST", prepared.url, prepared.headers, json=prepared.body)):
                    case NotReached(detail, retry_after):
                        return SendRefused("gateway", detail, retry_after)
                    case NoResponse(detail):
                        return SendInDoubt(detail)
                    case HttpResponse() as response:
                        answer = _answer(response)
                # The simulator can be set to refuse a message and still send it. So a refusal counts only if the
                # simulator's own record confirms it.
                return await self._confirm(answer, delivery, profile) if isinstance(answer, SendRefused) else answer
        except TimeoutError:
            return SendInDoubt("no answer after the request was written")

    async def find(self, delivery: Delivery, profile: Profile) -> LookupResult:
        url = f"{_account_url(profile)}/messages/{delivery.delivery_id}"
        match await self._client.call(GatewayCall("GET", url, {})):
            case NotReached(detail) | NoResponse(detail):
                return LookupFailed(clean(f"the gateway did not answer the lookup: {detail}"))
            case HttpResponse(200, {"message_id": message_id}):
                return MessageFound(clean_id(str(message_id)))
            case HttpResponse(404, body) if _code(body) == "not_found":
                return MessageNotFound()
            case HttpResponse(status):
                return LookupFailed(clean(f"the gateway answered the lookup with status {status}"))

    async def check(self, profile: Profile) -> ProfileCheck:
        """Asks whether the simulator is ready. The answer concerns all profiles alike, because the sender registers
        every profile at the simulator."""
        url = f"{profile.gateway.base_url.rstrip('/')}/health/ready"
        match await self._client.call(GatewayCall("GET", url, {})):
            case NotReached(detail) | NoResponse(detail):
                return ProfileCheck(False, detail, reached=False)
            case HttpResponse(200):
                return ProfileCheck(True, "the simulator is ready", "working")
            case HttpResponse(status):
                return ProfileCheck(False, clean(f"the simulator answered with status {status}"), reached=False)

    async def check_number(self, profile: Profile, number: str) -> NumberCheck:
        return NumberCheck(None, "the simulator accepts every number")

    async def register(self, package_id: str, profile: Profile) -> None:
        """Raises `RegistrationRefused`."""
        webhook = f"{self._ingress_url}/api/v1/webhooks/simulator/{package_id}/{profile.profile_id}"
        registration = {"profile_id": profile.profile_id, "package_id": package_id, "webhook_url": webhook}
        match await self._client.call(GatewayCall("PUT", _account_url(profile), {}, json=registration)):
            case NotReached(detail) | NoResponse(detail):
                raise RegistrationRefused(detail)
            case HttpResponse(status) if status >= 400:
                raise RegistrationRefused(f"the simulator answered with status {status}")
            case HttpResponse():
                return

    async def _confirm(self, refused: SendRefused, delivery: Delivery, profile: Profile) -> GatewayAnswer:
        match await self.find(delivery, profile):
            case MessageFound(gateway_message_id):
                return SendAccepted(gateway_message_id)
            case MessageNotFound():
                return refused
            case _:
                return SendInDoubt(
                    clean(f"the gateway refused it and then did not answer the lookup: {refused.detail}")
                )


def _account_url(profile: Profile) -> str:
    return f"{profile.gateway.base_url.rstrip('/')}/profiles/{profile.gateway.account}"


def _answer(response: HttpResponse) -> GatewayAnswer:
    if response.status == 201 and isinstance(response.body, dict) and "message_id" in response.body:
        return SendAccepted(clean_id(str(response.body["message_id"])))
    code = _code(response.body)
    failure = FAILURES.get(code)
    if failure is None:
        named = f"code {code}" if code else "no code"
        reason = f"the gateway answered with status {response.status} and {named}, unknown to this version"
        return SendInDoubt(clean(reason))
    return SendRefused(failure, clean(f"the gateway refused it: {code}"), response.retry_after)


def _code(body: Any) -> str:
    match body:
        case {"error": {"code": code}}:
            return clean_id(str(code))
        case _:
            return ""
