"""JSON bounds: refuses a body with too many values before pydantic reads it.

Pydantic makes an error object for each wrong item and each unknown member. An 8 MB body of such items would stop the
process for half a minute and take gigabytes of memory.
"""

import re
from typing import Any, cast

from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticCustomError, PydanticKnownError, from_json

from spreader.contract.ids import RECIPIENT_PATTERN
from spreader.http.problems import ERRORS_MAX, FieldError
from spreader.text.clean_text import pointer_step

VALUES_MAX = 250_000
"""How many values the body of a message may have. This is enough for 100,000 recipients with a text and a template."""
SETTINGS_VALUES_MAX = 5_000
"""How many values a body with the settings of a package or a profile may have. Usual settings need fewer. A body of
this size is validated within milliseconds."""
MEMBERS_MAX = 200
"""How many members an object may have. No object of a form needs this many, not even the components of a template."""
WRONG_ITEMS = "wrong_items"
_PHONE_NUMBER = re.compile(RECIPIENT_PATTERN)


def objection(body: bytes, values_max: int = VALUES_MAX) -> FieldError | None:
    """Why the body is not read further. None if it is small enough, or not JSON.

    The values are counted without parsing, because each value after the first one follows a comma or an opening
    bracket.
    """
    if body.count(b",") + body.count(b"[") + body.count(b"{") > values_max:
        return FieldError("", "too_long", f"it has more than {values_max} values")
    if body.count(b":") <= MEMBERS_MAX:  # the usual case: no object can have too many members
        return None
    try:
        value = from_json(body)
    except ValueError:
        return None
    return _many_members(value, "") if _has_many_members(value) else None


def _has_many_members(value: Any) -> bool:
    """Whether any object in the value has too many members. `_many_members` also finds where the object is, but takes
    much longer."""
    to_check = [value]
    while to_check:
        inside = to_check.pop()
        if isinstance(inside, dict):
            if len(cast(dict[str, Any], inside)) > MEMBERS_MAX:
                return True
            to_check.extend(cast(dict[str, Any], inside).values())
        elif isinstance(inside, list):
            to_check.extend(cast(list[Any], inside))
    return False


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
    """A validator for a list of phone numbers. Pydantic itself stops at the first wrong item (`pydantic.FailFast`).

    If items are wrong, this validator makes one error for the whole list. The error contains the number of wrong items,
    and the errors of the first of them.
    """

    def validate(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        items = cast(list[Any], value) if isinstance(value, list) else []
        if len(items) > items_max:
            length = {"field_type": "Tuple", "max_length": items_max, "actual_length": len(items)}
            raise PydanticKnownError("too_long", length)
        try:
            return handler(value)
        except ValidationError:
            wrong = [place for place, item in enumerate(items) if not is_phone_number(item)]
            if not wrong:
                raise
            first = [(place, *_error(items[place], handler)) for place in wrong[: ERRORS_MAX + 1]]
            context = {"wrong": first, "count": len(wrong)}
            raise PydanticCustomError(WRONG_ITEMS, "{count} items are wrong", context) from None

    return WrapValidator(validate)


def some(items_max: int) -> Any:
    """The field of a list that `count_wrong` validates. Pydantic does not put the allowed length of such a list into
    the schema, so this function does."""
    bounds: dict[str, Any] = {"minItems": 1, "maxItems": items_max}
    return Field(min_length=1, max_length=items_max, json_schema_extra=bounds)


def is_phone_number(item: Any) -> bool:
    """Whether pydantic accepts the item as a `PhoneNumber`. This check is fast, while pydantic would raise an exception
    for each wrong item."""
    return isinstance(item, str) and item.isascii() and _PHONE_NUMBER.fullmatch(item) is not None


def _error(item: Any, handler: ValidatorFunctionWrapHandler) -> tuple[str, str]:
    """The code and the message of a wrong item."""
    try:
        handler([item])
    except ValidationError as error:
        detail = error.errors(include_url=False, include_input=False, include_context=False)[0]
        return detail["type"], detail["msg"]
    raise AssertionError("pydantic accepts the item")
