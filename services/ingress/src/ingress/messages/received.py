"""Received message: a valid request for a message. The recipients of an open message are kept apart, in packed form."""

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
    """The form of an open message has no recipients here. The form of a reply has its recipient."""
    recipients: RecipientParts
    fingerprint: str
    """A hash of the request. A repeat of the request has the same hash."""


def receive_open(body: bytes, country: str | None = None) -> ReceivedMessage[OpenMessage] | Problem:
    """Reads an open message. For a large request, a child process runs this function. `country`: the country to which
    national numbers belong."""
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
    """The hash leaves out the fields that the caller did not set. Otherwise a newer ingress with one more field would
    compute another hash for the same request."""
    return hashlib.sha256(form.model_dump_json(exclude_unset=True).encode()).hexdigest()
