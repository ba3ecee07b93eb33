"""JSON bounds: refuses a body with too many values before pydantic reads it.

Pydantic makes an error object for each wrong item and each unknown member. An 8 MB body of such items would stop the
process for half a minute and take gigabytes of memory.
"""

from collections.abc import Sequence
from typing import Any, cast

from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticCustomError, PydanticKnownError, from_json

from spreader.http.problems import ERRORS_MAX, FieldError
from spreader.text.clean_text import pointer_step

COMMAS_MAX = 250_000
"""More than 100,000 recipients, a text and a template need together."""
MEMBERS_MAX = 200
"""More members than any object of a form has, also the components of a template."""
WRONG_ITEMS = "wrong_items"


def objection(body: bytes) -> FieldError | None:
    """Why the body is not read further. None if it is small enough, or not JSON."""
    if body.count(b",") > COMMAS_MAX:
        return FieldError("", "too_long", f"the body has more than {COMMAS_MAX} values")
    try:
        return _many_members(from_json(body), "")
    except ValueError:
        return None


def _many_members(value: Any, pointer: str) -> FieldError | None:
    if isinstance(value, dict):
        members = cast(dict[str, Any], value)
        if len(members) > MEMBERS_MAX:
            detail = f"the object has {len(members)} members; no object here may have more than {MEMBERS_MAX}"
            return FieldError(pointer, "too_long", detail)
        inside = ((f"{pointer}/{pointer_step(name[:64])}", each) for name, each in members.items())
    elif isinstance(value, list):
        items = cast(list[Any], value)
        inside = ((f"{pointer}/{place}", each) for place, each in enumerate(items) if isinstance(each, (dict, list)))
    else:
        return None
    return next((found for path, each in inside if (found := _many_members(each, path)) is not None), None)


def count_wrong(items_max: int) -> WrapValidator:
    """The validator of a list that stops at its first wrong item (`pydantic.FailFast`).

    If items are wrong, the result is one error for the list. It contains how many are wrong, and the first errors.
    """

    def validate(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        items = cast(list[Any], value) if isinstance(value, list) else []
        if len(items) > items_max:
            length = {"field_type": "Tuple", "max_length": items_max, "actual_length": len(items)}
            raise PydanticKnownError("too_long", length)
        try:
            return handler(value)
        except ValidationError:
            wrong, count = _wrong(items, handler)
            if not count:
                raise
            context = {"wrong": wrong, "count": count}
            raise PydanticCustomError(WRONG_ITEMS, "{count} items are wrong", context) from None

    return WrapValidator(validate)


def some(items_max: int) -> Any:
    """The field of a list with `count_wrong`. Pydantic does not describe its length, so the schema gets it here."""
    bounds: dict[str, Any] = {"minItems": 1, "maxItems": items_max}
    return Field(min_length=1, max_length=items_max, json_schema_extra=bounds)


def _wrong(items: Sequence[Any], handler: ValidatorFunctionWrapHandler) -> tuple[list[tuple[int, str, str]], int]:
    """The place, code and message of the first wrong items, and the number of all wrong items."""
    wrong, count = list[tuple[int, str, str]](), 0
    for place, item in enumerate(items):
        try:
            handler([item])
        except ValidationError as error:
            count += 1
            if count <= ERRORS_MAX + 1:
                detail = error.errors(include_url=False, include_input=False, include_context=False)[0]
                wrong.append((place, detail["type"], detail["msg"]))
    return wrong, count
