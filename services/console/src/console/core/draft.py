"""Draft: a form that is being filled in: what differs from what is kept, and what that asks the API for."""

from collections.abc import Mapping
from typing import Any

from console.core.setting_texts import Field

Values = Mapping[str, Any]
"""By pointer: what stands in the form's fields, as the API has it (None: empty)."""

SWITCHED: Mapping[str, Mapping[str, Any]] = {
    "/rest_window": {"start": "01:00", "hours": 4},
    "/recipient_quiet_hours": {"start": "21:00", "hours": 12},
}
"""Settings that are a group or nothing at all; turned on they begin with these."""


class NotReadable(ValueError):
    """What was typed is not such a value; says what is."""


def at(document: Mapping[str, Any], pointer: str) -> Any:
    """The value at a place; None where nothing is."""
    value: Any = document
    for step in pointer.split("/")[1:]:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def begin(document: Mapping[str, Any], fields: tuple[Field, ...]) -> dict[str, Any]:
    """The form as it is opened."""
    return {each.pointer: _opened(each, document) for each in fields}


def _opened(field: Field, document: Mapping[str, Any]) -> Any:
    value = at(document, field.pointer)
    if field.pointer in SWITCHED:
        return value is not None
    if value is None and field.only_with:
        return SWITCHED[field.only_with].get(field.pointer.rsplit("/", 1)[1])
    return value


def read(field: Field, typed: Any) -> Any:
    """What was typed, as the API takes it; raises `NotReadable`."""
    match field.kind:
        case "switch" | "choice":
            return typed
        case "number":
            return _number(typed)
        case "windows":
            return [_window(each) for each in str(typed or "").split(",") if each.strip()]
        case "words":
            return [each.strip() for each in str(typed or "").split(",") if each.strip()]
        case "moment":
            return f"{typed}T00:00:00Z" if typed and len(str(typed)) == 10 else (typed or None)
        case "phone":
            return "".join(letter for letter in str(typed or "") if letter.isdecimal())
        case "text" | "time" | "zone":
            return str(typed or "").strip()


def written(field: Field, value: Any) -> Any:
    """A value as it stands in the field."""
    match field.kind:
        case "windows":
            return ", ".join(f"{each['start'][:5]}-{each['end'][:5]}" for each in value or ())
        case "words":
            return ", ".join(value or ())
        case "time" | "moment":
            return str(value or "")[: 5 if field.kind == "time" else 10]
        case _:
            return value


def patch(fields: tuple[Field, ...], before: Values, now: Values) -> dict[str, Any]:
    """What differs, as the API's PATCH takes it."""
    result: dict[str, Any] = {}
    for field in fields:
        if field.pointer in SWITCHED:
            _put_switch(result, field, before, now)
        elif now[field.pointer] != before[field.pointer] and now.get(field.only_with, True):
            _put(result, field.pointer, now[field.pointer])
    return result


def changed(fields: tuple[Field, ...], before: Values, now: Values) -> list[Field]:
    return [each for each in fields if now[each.pointer] != before[each.pointer] and now.get(each.only_with, True)]


def _put_switch(result: dict[str, Any], field: Field, before: Values, now: Values) -> None:
    if now[field.pointer] == before[field.pointer]:
        return
    if not now[field.pointer]:
        result[field.pointer[1:]] = None
        return
    own = {name: now.get(f"{field.pointer}/{name}", value) for name, value in SWITCHED[field.pointer].items()}
    result[field.pointer[1:]] = own


def _put(result: dict[str, Any], pointer: str, value: Any) -> None:
    *groups, name = pointer.split("/")[1:]
    place = result
    for group in groups:
        place = place.setdefault(group, {})
    place[name] = value


def _number(typed: Any) -> int | float | None:
    if typed is None or typed == "":
        return None
    try:
        number = float(str(typed).replace("\u202f", "").replace(" ", ""))
    except ValueError:
        raise NotReadable("a number, such as 20") from None
    return int(number) if number == int(number) else number


def _window(text: str) -> dict[str, str]:
    start, dash, end = text.strip().replace("–", "-").partition("-")
    if not dash:
        raise NotReadable("hours look like 08:00-12:00, with commas between")
    return {"start": _time(start), "end": _time(end)}


def _time(text: str) -> str:
    hour, _, minute = text.strip().partition(":")
    if not (hour.isdecimal() and (minute or "0").isdecimal()):
        raise NotReadable("a time looks like 08:00")
    return f"{int(hour):02}:{int(minute or 0):02}"
