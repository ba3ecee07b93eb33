"""Accepting: what every call that sends does first: it is read and checked, and a repeat gets the first answer."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from fastapi import Request, Response
from pydantic import BaseModel, TypeAdapter

from ingress.configuration.config_cache import IngressConfigCache, active_profiles
from ingress.http import request_body
from ingress.http.responses import Answer
from ingress.messages.idempotency import Answers, key_of
from ingress.messages.media_check import Attaching
from spreader.clock import Now
from spreader.contract.configuration import Package
from spreader.contract.events import Lane
from spreader.contract.ids import new_id
from spreader.http.problems import Problem
from spreader.telemetry.tracing import note

F = TypeVar("F", bound=BaseModel)

Send = Callable[[Package, F, str, bool], Awaitable[Answer]]
"""Sends a form as the message of this id; the last argument: whether the caller waits for what becomes of it.

What it refuses (`Problem`) it refuses before anything is sent.
"""


@dataclass(frozen=True, slots=True)
class Accepting(Generic[F]):
    lane: Lane
    form: TypeAdapter[F]
    configured: IngressConfigCache
    answers: Answers
    attaching: Attaching
    now: Now
    body_bytes_max: int

    async def accept(self, package_id: str, request: Request, send: Send[F]) -> Response:
        form = request_body.parse(self.form, await request_body.read(request, self.body_bytes_max), tagged=True)
        package = self.configured.require_package(package_id)
        if isinstance(form, Problem):
            raise form
        active_profiles(package, self.lane)
        waits = "respond-async" not in request.headers.get("prefer", "")
        key = key_of(request)
        new_message_id = new_id("msg", self.now())
        work = partial(self._send, package, form, waits, send)
        if key is None:
            return (await work(new_message_id)).response()
        route = f"POST /packages/{package_id}/messages/{self.lane}"
        return (await self.answers.once(route, key, form, new_message_id, work)).response()

    async def _send(self, package: Package, form: F, waits: bool, send: Send[F], message_id: str) -> Answer:
        note(message_id=message_id, package_id=package.package_id, lane=self.lane)
        return await send(package, await self.attaching.attach(package, self.lane, form), message_id, waits)
