"""Simulator: the driver of our own stand-in for a gateway (services/simulator)."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from sender.core.delivery import Delivery
from sender.core.gateway_answer import Accepted, Answer, Finding, Found, InDoubt, NotFound, Refused, Unreachable
from sender.core.retry_policy import Failure
from sender.core.session_states import Checked
from sender.gateways.driver import NumberChecked, Ready
from sender.gateways.http_client import Away, Call, Client, Replied, Silent
from spreader.contract.configuration import Profile
from spreader.contract.content import content_json

FAILURES: Mapping[str, Failure] = {
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
"""The simulator's error codes. One that is not here says nothing about whether the delivery was sent."""


class Unregistered(Exception):
    """The simulator did not take a profile."""


class SimulatorDriver:
    def __init__(self, client: Client, call_seconds: float, ingress_url: str) -> None:
        self._client = client
        self._call_seconds = call_seconds
        self._ingress_url = ingress_url.rstrip("/")

    async def prepare(self, delivery: Delivery, profile: Profile) -> Ready:
        content = json.loads(content_json(delivery.content))
        body = {"delivery_id": delivery.delivery_id, "to": delivery.recipient, **content}
        headers = {} if delivery.traceparent is None else {"traceparent": delivery.traceparent}
        return Ready(f"{_address(profile)}/messages", headers, body)

    async def send(self, ready: Ready, delivery: Delivery, profile: Profile) -> Answer:
        try:
            async with asyncio.timeout(self._call_seconds):  # the question below included
                match await self._client.call(Call("POST", ready.url, ready.headers, json=ready.body)):
                    case Away(detail, retry_after):
                        return Refused("gateway", detail, retry_after)
                    case Silent(detail):
                        return InDoubt(detail)
                    case Replied() as reply:
                        answer = _answer(reply)
                # A refusal is believed when the gateway's own record agrees: it can be told to lie about it.
                return await self._confirm(answer, delivery, profile) if isinstance(answer, Refused) else answer
        except TimeoutError:
            return InDoubt("no answer after the request was written")

    async def find(self, delivery: Delivery, profile: Profile) -> Finding:
        url = f"{_address(profile)}/messages/{delivery.delivery_id}"
        match await self._client.call(Call("GET", url, {})):
            case Away(detail) | Silent(detail):
                return Unreachable(f"the gateway was asked and did not answer: {detail}")
            case Replied(200, {"message_id": message_id}):
                return Found(str(message_id))
            case Replied(404, body) if _code(body) == "not_found":
                return NotFound()
            case Replied(status):
                return Unreachable(f"the gateway was asked and answered {status}")

    async def check(self, profile: Profile) -> Checked:
        """It answers for every profile; one that it does not know yet is registered by and by."""
        match await self._client.call(Call("GET", f"{profile.gateway.base_url.rstrip('/')}/health/ready", {})):
            case Away(detail) | Silent(detail):
                return Checked(False, detail, reached=False)
            case Replied(200):
                return Checked(True, "the simulator is there", "working")
            case Replied(status):
                return Checked(False, f"the simulator answered {status}", reached=False)

    async def check_number(self, profile: Profile, number: str) -> NumberChecked:
        return NumberChecked(None, "the simulator knows every number")

    async def register(self, package_id: str, profile: Profile) -> None:
        webhook = f"{self._ingress_url}/api/v1/webhooks/simulator/{package_id}/{profile.profile_id}"
        registration = {"profile_id": profile.profile_id, "package_id": package_id, "webhook_url": webhook}
        match await self._client.call(Call("PUT", _address(profile), {}, json=registration)):
            case Away(detail) | Silent(detail):
                raise Unregistered(detail)
            case Replied(status) if status >= 400:
                raise Unregistered(f"the simulator answered {status}")
            case Replied():
                return

    async def _confirm(self, refused: Refused, delivery: Delivery, profile: Profile) -> Answer:
        match await self.find(delivery, profile):
            case Found(gateway_message_id):
                return Accepted(gateway_message_id)
            case NotFound():
                return refused
            case _:
                return InDoubt(f"refused, and then the gateway could not be asked: {refused.detail}")


def _address(profile: Profile) -> str:
    return f"{profile.gateway.base_url.rstrip('/')}/profiles/{profile.gateway.account}"


def _answer(reply: Replied) -> Answer:
    if reply.status == 201 and isinstance(reply.body, dict) and "message_id" in reply.body:
        return Accepted(str(reply.body["message_id"]))
    code = _code(reply.body)
    failure = FAILURES.get(code)
    if failure is None:
        said = code or "without a code"
        return InDoubt(f"the gateway answered {reply.status} {said}, which this version cannot read")
    return Refused(failure, f"the gateway refused it: {code}", reply.retry_after)


def _code(body: Any) -> str:
    match body:
        case {"error": {"code": code}}:
            return str(code)
        case _:
            return ""
