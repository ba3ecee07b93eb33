"""Body: what a caller sent, read with a bound and parsed once."""

import codecs
from collections.abc import AsyncGenerator
from typing import Any, TypeVar

from fastapi import Request
from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from ingress.http.problems import MALFORMED, TOO_LARGE, fields_problem, is_malformed
from spreader.http.problems import INVALID, FieldError, Problem

T = TypeVar("T")

LINE_CHARACTERS_MAX = 10_000

_NUL = rb"\u0000"


async def read(request: Request, bytes_max: int) -> bytes:
    """The bytes of the body; a larger one is refused as soon as that is known."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > bytes_max:
        raise too_large(bytes_max)
    pieces, size = list[bytes](), 0
    async for piece in request.stream():
        size += len(piece)
        if size > bytes_max:
            raise too_large(bytes_max)
        pieces.append(piece)
    return b"".join(pieces)


async def lines(request: Request, bytes_max: int, lines_at_once: int) -> AsyncGenerator[list[str]]:
    """The lines of a text as they come, in pieces of some thousand: never all of it is in memory."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    size, rest, ready = 0, "", list[str]()
    async for piece in request.stream():
        size += len(piece)
        if size > bytes_max:
            raise too_large(bytes_max)
        *whole, rest = (rest + _decoded(decoder, piece)).replace("\r\n", "\n").split("\n")
        if len(rest) > LINE_CHARACTERS_MAX:
            raise Problem(MALFORMED, f"A line is over {LINE_CHARACTERS_MAX} characters: one row stands on one line.")
        ready += whole
        while len(ready) >= lines_at_once:
            yield ready[:lines_at_once]
            ready = ready[lines_at_once:]
    ready.append(rest + _decoded(decoder, b"", final=True))
    yield ready


def _decoded(decoder: codecs.IncrementalDecoder, piece: bytes, final: bool = False) -> str:
    try:
        return decoder.decode(piece, final)
    except UnicodeDecodeError:
        raise Problem(MALFORMED, "The body cannot be read as UTF-8 text.") from None


def parse(form: TypeAdapter[T], body: bytes, tagged: bool = False) -> T | Problem:
    """The form, or the problem with its fields (a value: a caller may have something to say first).

    Raises for what is not JSON at all.
    """
    try:
        parsed = form.validate_json(body)
    except ValidationError as error:
        problem = refused(error, tagged)
        if problem.kind is MALFORMED:
            raise problem from None
        return problem
    return _without_nul(body) or parsed


def refused(error: ValidationError, tagged: bool = False) -> Problem:
    """What is wrong with a body: it is no JSON, or some of its fields cannot be."""
    if is_malformed(error):
        return malformed(str(error.errors()[0]["msg"]).removeprefix("Invalid JSON: "))
    return fields_problem(error, tagged)


def parsed(form: TypeAdapter[T], body: bytes, tagged: bool = False) -> T:
    """The form; raises the problem."""
    result = parse(form, body, tagged)
    if isinstance(result, Problem):
        raise result
    return result


def json_object(body: bytes) -> dict[str, Any]:
    """A JSON object of which the form is not known yet (a merge patch)."""
    try:
        value = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise malformed(str(error)) from None
    if not isinstance(value, dict):
        raise Problem(
            INVALID, "the body: it must be a JSON object", [FieldError("", "dict_type", "it must be a JSON object")]
        )
    problem = _without_nul(body)
    if problem is not None:
        raise problem
    return value


def malformed(detail: str) -> Problem:
    return Problem(MALFORMED, f"The body cannot be read as JSON: {detail}.")


def too_large(bytes_max: int, what_to_do: str = "Send the recipients in several messages.") -> Problem:
    return Problem(TOO_LARGE, f"The body is over {bytes_max} bytes. {what_to_do}")


def _without_nul(body: bytes) -> Problem | None:
    """Postgres cannot keep U+0000 in a text, and no message needs it."""
    if _NUL not in body:
        return None
    pointer = _find_nul(from_json(body), "")
    if pointer is None:
        return None
    detail = "the character U+0000 cannot be kept or sent"
    return Problem(INVALID, f"{pointer}: {detail}", [FieldError(pointer, "nul", detail)])


def _find_nul(value: Any, pointer: str) -> str | None:
    if isinstance(value, str):
        return pointer if "\0" in value else None
    if isinstance(value, dict):
        members = [(name, f"{pointer}/{name}") for name in value] + [
            (each, f"{pointer}/{name}") for name, each in value.items()
        ]
    elif isinstance(value, list):
        members = [(each, f"{pointer}/{place}") for place, each in enumerate(value)]
    else:
        return None
    return next((found for each, place in members if (found := _find_nul(each, place)) is not None), None)
