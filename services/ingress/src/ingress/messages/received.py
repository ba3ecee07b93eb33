"""Received message: a valid request for a message, apart from its recipients, which stay packed."""

import hashlib
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel, TypeAdapter

from ingress.core.recipient_parts import RecipientParts
from ingress.http import request_body
from ingress.http.dialled_numbers import dialled_number, dialled_numbers
from ingress.http.json_bounds import VALUES_MAX
from ingress.messages.schemas import OPEN, REPLY, OpenMessage, ReplyMessage
from spreader.http.problems import Problem

F = TypeVar("F", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class ReceivedMessage(Generic[F]):
    form: F
    """Its `recipients` are empty. The recipient of a reply stays in the form."""
    recipients: RecipientParts
    fingerprint: str
    """A hash of the request. The same request with the same Idempotency-Key has the same hash."""


def receive_open(body: bytes, country: str | None = None) -> ReceivedMessage[OpenMessage] | Problem:
    """Large requests run this function in a child process. `country`: the country that completes national numbers."""
    form = _parse(OPEN, body)
    if isinstance(form, Problem):
        return form
    numbers = dialled_numbers(form.recipients, country, "/recipients")
    if isinstance(numbers, Problem):
        return numbers
    recipients = RecipientParts.of(numbers)
    return ReceivedMessage(form.model_copy(update={"recipients": ()}), recipients, fingerprint(form))


def receive_reply(body: bytes, country: str | None = None) -> ReceivedMessage[ReplyMessage] | Problem:
    form = _parse(REPLY, body)
    if isinstance(form, Problem):
        return form
    try:
        number = dialled_number(form.recipient, country, "/recipient")
    except Problem as problem:
        return problem
    dialled = form if number == form.recipient else form.model_copy(update={"recipient": number})
    return ReceivedMessage(dialled, RecipientParts.of(()), fingerprint(form))


def _parse(form: TypeAdapter[F], body: bytes) -> F | Problem:
    try:
        return request_body.try_parse(form, body, tagged=True, values_max=VALUES_MAX)
    except Problem as problem:
        return problem


def fingerprint(form: BaseModel) -> str:
    """Unset fields are left out. Otherwise a newer version with one more field would get another hash for the same
    request."""
    return hashlib.sha256(form.model_dump_json(exclude_unset=True).encode()).hexdigest()
