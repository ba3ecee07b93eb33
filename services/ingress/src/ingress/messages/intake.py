"""Message intake: the steps that open messages and replies share, from reading the request to the response."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, TypeVar

from fastapi import Request, Response
from pydantic import BaseModel

from ingress.configuration.config_cache import IngressConfigCache, require_profiles
from ingress.http.large_bodies import LargeBodies
from ingress.http.problems import MALFORMED
from ingress.http.responses import ApiResponse
from ingress.messages.idempotency import IdempotentResponses, key_of
from ingress.messages.media_check import MediaCheck
from ingress.messages.received import ReceivedMessage
from spreader.clock import Now
from spreader.contract.configuration import Package
from spreader.contract.events import Lane
from spreader.contract.ids import new_id
from spreader.http.problems import Problem
from spreader.telemetry.tracing import annotate

F = TypeVar("F", bound=BaseModel)

Publish = Callable[[Package, ReceivedMessage[F], str, bool], Awaitable[ApiResponse]]
"""A function that publishes a message. Its arguments are the package, the received message, the message id, and whether
to wait for the result.

The function may raise `Problem` only before it publishes anything.
"""


def too_large_advice(lane: Lane) -> str:
    """The advice of the problem `too-large` for callers of this lane."""
    return "Send the recipients in several messages." if lane == "open" else "Shorten the message."


@dataclass(frozen=True, slots=True)
class MessageIntake(Generic[F]):
    lane: Lane
    bodies: LargeBodies
    receive: Callable[..., ReceivedMessage[F] | Problem]
    """Reads a body. `country`: the country to which national numbers belong."""
    config_cache: IngressConfigCache
    responses: IdempotentResponses
    media_check: MediaCheck
    now: Now
    body_bytes_max: int

    async def accept(self, package_id: str, request: Request, publish: Publish[F]) -> Response:
        """Publishes the message and returns the response. A repeat with the same Idempotency-Key gets the stored
        response.

        Problems are raised in this order: malformed body, unknown package, invalid fields, no profile, invalid
        Idempotency-Key.
        """
        advice = too_large_advice(self.lane)
        known = self.config_cache.package(package_id)
        receive = partial(self.receive, country=known and known.default_country)
        received = await self.bodies.read(request, self.body_bytes_max, receive, advice)
        if isinstance(received, Problem) and received.kind == MALFORMED:
            raise received
        package = self.config_cache.require_package(package_id)
        if isinstance(received, Problem):
            raise received
        require_profiles(package, self.lane)
        waits = "respond-async" not in request.headers.get("prefer", "")
        key = key_of(request)
        new_message_id = new_id("msg", self.now())
        work = partial(self._publish, package, received, waits, publish)
        if key is None:
            return (await work(new_message_id)).render()
        route = f"POST /packages/{package_id}/messages/{self.lane}"
        return (await self.responses.respond_once(route, key, received.fingerprint, new_message_id, work)).render()

    async def _publish(
        self, package: Package, received: ReceivedMessage[F], waits: bool, publish: Publish[F], message_id: str
    ) -> ApiResponse:
        annotate(message_id=message_id, package_id=package.package_id, lane=self.lane)
        form = await self.media_check.store_media(package, self.lane, received.form)
        return await publish(package, replace(received, form=form), message_id, waits)
