"""Request body: read up to a maximum size, parsed once, and checked field by field."""

from datetime import datetime
from typing import Annotated, Any, TypeVar

from fastapi import Request
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NaiveDatetime,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import from_json

from ingress.http.json_bounds import SETTINGS_VALUES_MAX, objection
from ingress.http.problems import MALFORMED, TOO_LARGE, fields_problem, is_malformed
from spreader.http.problems import INVALID, FieldError, Problem, invalid
from spreader.text import lenient_json
from spreader.text.clean_text import UnstorableText

T = TypeVar("T")

SMALLER_BODY = "Send a smaller one."
_YEARS = range(2000, 3000)


class RequestForm(BaseModel):
    """A JSON object from a caller. An unknown field is an error, because it would have no effect."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _check_format(value: Any) -> Any:
    if not isinstance(value, str) or value[4:5] != "-":  # pydantic would also take a number of seconds
        raise ValueError("must be a time such as 2024-02-10T10:00:00Z")
    return value


def _check_year(time: datetime) -> datetime:
    if time.year not in _YEARS:
        raise ValueError("the year must be from 2000 to 2999")
    return time


Timestamp = Annotated[AwareDatetime, Field(strict=False), AfterValidator(_check_year), BeforeValidator(_check_format)]
LocalTimestamp = Annotated[
    NaiveDatetime, Field(strict=False), AfterValidator(_check_year), BeforeValidator(_check_format)
]


async def read(request: Request, bytes_max: int, advice: str = SMALLER_BODY) -> bytes:
    """The whole body. Raises the problem `too-large` as soon as more than `bytes_max` bytes are announced or received.

    The text of the problem contains `advice` for the caller.
    """
    check_announced(request, bytes_max, advice)
    chunks, size = list[bytes](), 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > bytes_max:
            raise too_large(bytes_max, advice)
        chunks.append(chunk)
    return b"".join(chunks)


def check_announced(request: Request, bytes_max: int, advice: str) -> None:
    """Raises the problem `too-large` if the request announces more than `bytes_max` bytes."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > bytes_max:
        raise too_large(bytes_max, advice)


def try_parse(
    form: TypeAdapter[T], body: bytes, tagged: bool = False, values_max: int = SETTINGS_VALUES_MAX
) -> T | Problem:
    """The form, or the problem `invalid`. The problem is returned and not raised, because the calling function may find
    a more important problem. If the body is not JSON, the problem `malformed` is raised.

    `tagged`: the form is a union. An unknown field is invalid at every depth, even if the type of that part ignores
    unknown fields when it is read from an event.
    """
    excess = _excess_problem(body, values_max)
    if excess is not None:
        return excess
    try:
        parsed = form.validate_json(body, extra="forbid")
    except ValidationError as error:
        problem = validation_problem(error, tagged)
        if problem.kind is not MALFORMED:
            return problem
        if (unstorable := _unstorable_problem(body)) is not None:  # pydantic takes a lone surrogate for broken JSON
            return unstorable
        raise problem from None
    return _unstorable_problem(body) or parsed


def parse(form: TypeAdapter[T], body: bytes, tagged: bool = False) -> T:
    """The form. Raises the problem `malformed` or `invalid`. `tagged`: the form is a union."""
    result = try_parse(form, body, tagged)
    if isinstance(result, Problem):
        raise result
    return result


def parse_object(body: bytes) -> dict[str, Any]:
    """A JSON object that has no form, such as a merge patch. Raises the problem `malformed` or `invalid`."""
    excess = _excess_problem(body, SETTINGS_VALUES_MAX)
    if excess is not None:
        raise excess
    try:
        value = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise _unstorable_problem(body) or malformed(str(error)) from None
    if not isinstance(value, dict):
        detail = "it must be a JSON object"
        raise Problem(INVALID, f"the body: {detail}", [FieldError("", "dict_type", detail)])
    problem = _unstorable_problem(body)
    if problem is not None:
        raise problem
    return value


def _excess_problem(body: bytes, values_max: int) -> Problem | None:
    """The problem of a body with too many values."""
    excess = objection(body, values_max)
    return None if excess is None else invalid(excess.pointer, excess.code, excess.detail)


def validation_problem(error: ValidationError, tagged: bool = False) -> Problem:
    """The problem `malformed` if the body is not JSON. Otherwise the problem `invalid`, with the invalid fields."""
    if is_malformed(error):
        return malformed(str(error.errors()[0]["msg"]).removeprefix("Invalid JSON: "))
    return fields_problem(error, tagged)


def malformed(detail: str) -> Problem:
    return Problem(MALFORMED, f"The body is not valid JSON: {detail}.")


def too_large(bytes_max: int, advice: str) -> Problem:
    return Problem(TOO_LARGE, f"The body is larger than {bytes_max} bytes. {advice}")


def _unstorable_problem(body: bytes) -> Problem | None:
    """The problem of the first text with a forbidden character. None if there is no such text, or if the body is not
    JSON."""
    try:
        found = lenient_json.unstorable_text(body, controls=True)
    except ValueError:
        return None
    return None if found is None else unstorable_problem(found)


def unstorable_problem(found: UnstorableText) -> Problem:
    return invalid(found.pointer, found.code, found.detail)
