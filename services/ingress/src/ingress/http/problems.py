"""Problem kinds: every problem that the ingress returns, and how its exceptions become problems."""

from collections.abc import Iterator, Mapping
from itertools import chain, islice
from typing import Annotated

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails
from typing_extensions import TypedDict

from ingress.core.phone_list import SampleColumn
from ingress.http.json_bounds import WRONG_ITEMS
from ingress.metrics import PROBLEMS
from spreader.contract.events import FailureClass, Status
from spreader.http import problems
from spreader.http.problems import (
    ERRORS_MAX,
    INTERNAL,
    INVALID,
    MALFORMED,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    UNAUTHORIZED,
    UNAVAILABLE,
    FieldError,
    Problem,
    ProblemKind,
    ProblemOf,
    unavailable,
)
from spreader.kafka.bus import PublishFailed, RecordsRefused
from spreader.telemetry.metrics import from_zero
from spreader.text.clean_text import pointer_step


class ChangedMembers(TypedDict):
    """`version`: the present version of the package. `etag`: the present ETag of the package or profile that the caller
    wanted to change."""

    etag: Annotated[str, Field(examples=['"7"'])]
    version: Annotated[int, Field(examples=[7])]


class UnclearColumnMembers(TypedDict):
    """The columns to choose from, each with some of its numbers."""

    columns: Annotated[
        list[SampleColumn], Field(examples=[[{"column": 1, "name": "Mobile", "numbers": ["201001234567"]}]])
    ]


class UnsentReplyMembers(TypedDict):
    message_id: Annotated[str, Field(examples=["msg_def456"])]
    message_status: Annotated[Status, Field(examples=["failed"])]
    profile_used: Annotated[str | None, Field(examples=["profile_2"])]
    failure: Annotated[FailureClass | None, Field(examples=["recipient"])]


CURSOR = ProblemKind("cursor", 400, "Invalid cursor")
IDEMPOTENCY_KEY = ProblemKind("idempotency-key", 400, "Invalid Idempotency-Key")
SIGNATURE = ProblemKind("signature", 401, "Invalid webhook signature")
VERIFY_TOKEN = ProblemKind("verify-token", 403, "Invalid verify token")
TAKEN = ProblemKind("taken", 409, "Id already in use")
NO_PROFILE = ProblemKind("no-profile", 409, "No profile can send this message")
NOT_CANCELLABLE = ProblemKind("not-cancellable", 409, "Message can no longer be cancelled")
NOT_RESENDABLE = ProblemKind("not-resendable", 409, "Message cannot be sent again")
COLUMN_UNCLEAR = ProblemKind(
    "column-unclear", 409, "The column with the phone numbers is not clear", UnclearColumnMembers
)
CHANGED = ProblemKind("changed", 412, "Changed since it was read", ChangedMembers)
IN_PROGRESS = ProblemKind("in-progress", 409, "Request with the same Idempotency-Key is still in progress")
NOT_OFFERED = ProblemKind("not-offered", 409, "Gateway does not offer this")
NOT_UNDOABLE = ProblemKind("not-undoable", 409, "Change cannot be undone")
REPLY_NOT_SENT = ProblemKind("reply-not-sent", 409, "Reply was not sent", UnsentReplyMembers)
TOO_LARGE = ProblemKind("too-large", 413, "Request body too large")
KEY_REUSED = ProblemKind("key-reused", 422, "Idempotency-Key already used with another body")
GATEWAY = ProblemKind("gateway", 502, "Gateway did not accept the message", UnsentReplyMembers)
SECRET_KEYS = ProblemKind("secret-keys", 503, "No encryption key for credentials")

KINDS: Mapping[str, ProblemKind] = {
    kind.code: kind
    for kind in (
        *(MALFORMED, CURSOR, IDEMPOTENCY_KEY, UNAUTHORIZED, SIGNATURE, VERIFY_TOKEN, NOT_FOUND, METHOD_NOT_ALLOWED),
        *(
            TAKEN,
            NO_PROFILE,
            NOT_CANCELLABLE,
            NOT_RESENDABLE,
            IN_PROGRESS,
            NOT_OFFERED,
            NOT_UNDOABLE,
            REPLY_NOT_SENT,
            COLUMN_UNCLEAR,
        ),
        *(CHANGED, TOO_LARGE, INVALID),
        *(KEY_REUSED, INTERNAL, GATEWAY, SECRET_KEYS, UNAVAILABLE),
    )
}
"""The kinds of problems by code, in the order of their HTTP status."""

from_zero(PROBLEMS, KINDS)

_TAG_ERRORS = {"union_tag_invalid", "union_tag_not_found"}
_TAGS: Mapping[str, str] = {
    "type": "must be text, image, voice, document, video or template",
    "event": "must be receipt or message",
}
"""Fields whose value says which form a body has, each with the error text for any other value."""


def install(app: FastAPI) -> None:
    own: dict[type[Exception], ProblemOf] = {
        PublishFailed: _publish_problem,
        RecordsRefused: _refused_problem,
        RequestValidationError: _path_problem,
    }
    problems.install(app, KINDS.values(), own, count_problem)


def count_problem(kind: ProblemKind) -> None:
    PROBLEMS.labels(kind.code).inc()


def is_malformed(error: ValidationError) -> bool:
    """Whether a body is not JSON at all."""
    return error.errors(include_url=False, include_input=False)[0]["type"] == "json_invalid"


def fields_problem(error: ValidationError, tagged: bool) -> Problem:
    """The problem `invalid` with the fields that pydantic refuses, at most `ERRORS_MAX`.

    `tagged`: the form is a union, so each location in `error` begins with the chosen member of the union.
    """
    details = error.errors(include_url=False, include_input=False)
    errors = list(islice(chain.from_iterable(_field_errors(detail, tagged) for detail in details), ERRORS_MAX + 1))
    total = sum(detail.get("ctx", {}).get("count", 1) if detail["type"] == WRONG_ITEMS else 1 for detail in details)
    parents = {error.pointer.rsplit("/", 1)[0] for error in errors}
    # If items of a list are invalid, pydantic also reports the list as too short. Only the errors of the items are
    # shown.
    shown = [error for error in errors if not (error.code == "too_short" and error.pointer in parents)][:ERRORS_MAX]
    first = f"{shown[0].pointer or 'the body'}: {shown[0].detail}"
    more = "" if total == 1 else f" (and {total - 1} more)"
    return Problem(INVALID, first + more, shown)


def _field_errors(error: ErrorDetails, tagged: bool) -> Iterator[FieldError]:
    if error["type"] in _TAG_ERRORS:
        tag = error.get("ctx", {})["discriminator"].strip("'")
        yield FieldError(f"/{tag}", f"unknown_{tag}", _TAGS[tag])
        return
    if error["type"] != WRONG_ITEMS:
        yield _field_error(error["type"], error["loc"], error["msg"], tagged)
        return
    for place, code, message in error.get("ctx", {})["wrong"]:
        yield _field_error(code, (*error["loc"], place), message, tagged)


def _field_error(code: str, location: tuple[int | str, ...], message: str, tagged: bool) -> FieldError:
    pointer = "".join(f"/{pointer_step(part)}" for part in location[1 if tagged else 0 :])
    if code == "string_pattern_mismatch" and pointer.startswith(("/recipient", "/phone", "/from")):
        return FieldError(
            pointer, "phone_number", "a phone number is 7 to 15 digits in international form, without + or spaces"
        )
    if code == "string_pattern_mismatch" and pointer == "/text":
        return FieldError(pointer, "blank", "the text is empty")
    return FieldError(pointer, code, message.removeprefix("Value error, "))


def _path_problem(request: Request, error: Exception) -> Problem | None:
    """The problem `not-found` for a path with a malformed id.

    None if the ids are valid, but another parameter is not. Then the caller gets the problem `invalid`.
    """
    assert isinstance(error, RequestValidationError)
    if any(detail["loc"][0] == "path" for detail in error.errors()):
        return Problem(NOT_FOUND, f"There is nothing at {request.url.path[:200]!r}.")
    return None


def _publish_problem(_: Request, __: Exception) -> Problem:
    return unavailable(
        "Kafka did not acknowledge the event in time, but may have stored it. Send the request again. "
        "Repeat a message with the same Idempotency-Key: without a key the repeat may be sent as a second message."
    )


def _refused_problem(_: Request, error: Exception) -> Problem:
    return Problem(TOO_LARGE, f"Kafka does not take the record of this request, so it is not accepted: {error}")
