"""Simulator: the driver of our own stand-in for a gateway (services/simulator)."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp

from sender.core.answer import (
    Accepted,
    Answer,
    Failure,
    Finding,
    Found,
    InDoubt,
    NotFound,
    Refused,
    Unreachable,
)
from sender.core.delivery import Delivery
from spreader.configuration import Profile
from spreader.content import content_json

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


@dataclass(frozen=True, slots=True)
class Timeouts:
    connect_seconds: float
    call_seconds: float


class SimulatorDriver:
    """A part with a pool of connections of its own."""

    def __init__(self, connections: int, timeouts: Timeouts, ingress_url: str, name: str = "simulator driver") -> None:
        self.name = name
        self._connections = connections
        self._timeouts = timeouts
        self._ingress_url = ingress_url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        timeout = aiohttp.ClientTimeout(total=self._timeouts.call_seconds, connect=self._timeouts.connect_seconds)
        connector = aiohttp.TCPConnector(limit=self._connections)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout)

    async def stop(self) -> None:
        if self._session is not None:
            await self._session.close()

    def trouble(self) -> str | None:
        return None

    def alive(self) -> bool:
        return True

    async def send(self, delivery: Delivery, profile: Profile) -> Answer:
        try:
            async with asyncio.timeout(self._timeouts.call_seconds):
                answer = await self._post(delivery, profile)
                # A refusal is believed when the gateway's own record agrees: it can be told to lie about it.
                return await self._confirm(answer, delivery, profile) if isinstance(answer, Refused) else answer
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
            return Refused("gateway", f"the gateway cannot be reached: {_said(error)}")
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return InDoubt(f"no answer after the request was written: {_said(error)}")

    async def find(self, delivery: Delivery, profile: Profile) -> Finding:
        try:
            async with self._open.get(f"{_address(profile)}/messages/{delivery.delivery_id}") as response:
                body = await _json(response)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return Unreachable(f"the gateway was asked and did not answer: {_said(error)}")
        if response.status == 200 and "message_id" in body:
            return Found(str(body["message_id"]))
        if response.status == 404 and _code(body) == "not_found":
            return NotFound()
        return Unreachable(f"the gateway was asked and answered {response.status}")

    async def register(self, package_id: str, profile: Profile) -> None:
        webhook = f"{self._ingress_url}/api/v1/webhooks/simulator/{package_id}/{profile.profile_id}"
        registration = {"profile_id": profile.profile_id, "package_id": package_id, "webhook_url": webhook}
        async with self._open.put(_address(profile), json=registration) as response:
            response.raise_for_status()

    async def _post(self, delivery: Delivery, profile: Profile) -> Answer:
        content = json.loads(content_json(delivery.content))
        body = {"delivery_id": delivery.delivery_id, "to": delivery.recipient, **content}
        headers = {} if delivery.traceparent is None else {"traceparent": delivery.traceparent}
        async with self._open.post(f"{_address(profile)}/messages", json=body, headers=headers) as response:
            return _answer(response, await _json(response))

    async def _confirm(self, refused: Refused, delivery: Delivery, profile: Profile) -> Answer:
        match await self.find(delivery, profile):
            case Found(gateway_message_id):
                return Accepted(gateway_message_id)
            case NotFound():
                return refused
            case _:
                return InDoubt(f"refused, and then the gateway could not be asked: {refused.detail}")

    @property
    def _open(self) -> aiohttp.ClientSession:
        assert self._session is not None, "a driver that is not started was asked to send"
        return self._session


def _address(profile: Profile) -> str:
    return f"{profile.gateway.base_url.rstrip('/')}/profiles/{profile.gateway.account}"


async def _json(response: aiohttp.ClientResponse) -> dict[str, Any]:
    """The object in the body; ValueError where there is none."""
    body = json.loads(await response.read())
    if not isinstance(body, dict):
        raise ValueError("the answer is no JSON object")
    return body


def _answer(response: aiohttp.ClientResponse, body: dict[str, Any]) -> Answer:
    if response.status == 201 and "message_id" in body:
        return Accepted(str(body["message_id"]))
    code = _code(body)
    failure = FAILURES.get(code)
    if failure is None:
        return InDoubt(
            f"the gateway answered {response.status} {code or 'without a code'}, which this version cannot read"
        )
    return Refused(failure, f"the gateway refused it: {code}", _retry_after(response))


def _code(body: dict[str, Any]) -> str:
    error = body.get("error")
    return str(error.get("code", "")) if isinstance(error, dict) else ""


def _retry_after(response: aiohttp.ClientResponse) -> timedelta | None:
    seconds = response.headers.get("Retry-After", "")
    return timedelta(seconds=min(int(seconds), 3600)) if seconds.isdecimal() else None


def _said(error: BaseException) -> str:
    """Its kind alone: the text of a network error may hold an address with credentials."""
    return type(error).__name__
