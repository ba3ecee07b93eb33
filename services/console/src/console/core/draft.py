"""Draft: the unsaved values of a settings form, and the PATCH body that saves them."""

from collections.abc import Mapping
from typing import Any

from console.core import formats
from console.core.setting_texts import NO_LIMIT, SettingField
from spreader.phone.dressed_number import NoNumber, read_number

Values = Mapping[str, Any]
"""The values of the fields by JSON pointer, as the API expects them. None means an empty field.

For the pointers in `SWITCHED` the value is True if the setting is on, and False if it is off.
"""

SWITCHED: Mapping[str, Mapping[str, Any]] = {
    "/rest_window": {"start": "01:00", "hours": 4},
    "/recipient_quiet_hours": {"start": "21:00", "hours": 12},
}
"""The settings that are null while they are off, and an object while they are on.

Each setting is listed with the members that its object gets when an operator switches the setting on.
"""


FOLLOW_PACKAGE = "package"
"""The value of the field of a profile's own limit while the package's limit applies."""


class InvalidValue(ValueError):
    """The typed text is not a valid value of the field. The message says what to enter instead."""


def value_at(document: Mapping[str, Any], pointer: str) -> Any:
    """The value at a JSON pointer in the document, or None if the document has no such value."""
    value: Any = document
    for step in pointer.split("/")[1:]:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def initial_values(document: Mapping[str, Any], fields: tuple[SettingField, ...]) -> dict[str, Any]:
    """The values of the fields before the operator changes any. They come from the document of a package or profile."""
    return {field.pointer: _initial_value(field, document) for field in fields}


def _initial_value(field: SettingField, document: Mapping[str, Any]) -> Any:
    value = value_at(document, field.pointer)
    if field.kind == "own_limit":
        group, name = field.pointer.rsplit("/", 1)
        is_own = value is not None or (field.null and name in (value_at(document, group) or {}))
        return value if is_own else FOLLOW_PACKAGE
    if field.pointer in SWITCHED:
        return value is not None
    if value is None and field.only_with:
        return SWITCHED[field.only_with].get(field.pointer.rsplit("/", 1)[1])
    return value


def parse(field: SettingField, typed: Any) -> Any:
    """Turn what the operator typed or chose into a value for the API. Raises `InvalidValue`."""
    match field.kind:
        case "switch" | "choice":
            return typed
        case "number":
            return _in_range(field, _number(typed))
        case "own_limit":
            return _own_limit(field, str(typed or "").strip())
        case "windows":
            return [_window(part) for part in str(typed or "").split(",") if part.strip()]
        case "words":
            return [word.strip() for word in str(typed or "").split(",") if word.strip()]
        case "moment":
            return f"{typed}T00:00:00Z" if typed and len(str(typed)) == 10 else (typed or None)
        case "phone":
            return _phone(str(typed or ""))
        case "country":
            return str(typed or "").strip().upper() or None
        case "text" | "time" | "zone":
            return _text(field, str(typed or "").strip())


def format_value(field: SettingField, value: Any) -> Any:
    """Turn a value of the API into the value of the field's input element.

    Numbers, lists, times and dates become a text. All other values stay as they are.
    """
    match field.kind:
        case "number":
            return "" if value is None else formats.plain(value)
        case "own_limit":
            return "" if value == FOLLOW_PACKAGE else NO_LIMIT if value is None else str(value)
        case "windows":
            return ", ".join(f"{window['start'][:5]}-{window['end'][:5]}" for window in value or ())
        case "words":
            return ", ".join(value or ())
        case "time" | "moment":
            return str(value or "")[: 5 if field.kind == "time" else 10]
        case _:
            return value


def limits_in_force(document: Mapping[str, Any]) -> dict[str, str]:
    """For each limit of a profile, a text that says which limit applies now. The key is the pointer of the field for
    the profile's own limit."""
    limits: Mapping[str, int | None] = document.get("effective_limits") or {}
    return {f"/limits/{name}": f"Now: {NO_LIMIT if limit is None else limit}" for name, limit in limits.items()}


def rebased(fields: tuple[SettingField, ...], before: Values, now: Values, present: Values) -> dict[str, Any]:
    """The values of a form whose document somebody else has changed. What the operator typed stays. All other fields
    get the present values."""
    return {
        pointer: now[pointer] if now[pointer] != before[pointer] else present[pointer]
        for pointer in (field.pointer for field in fields)
    }


def patch(fields: tuple[SettingField, ...], before: Values, now: Values) -> dict[str, Any]:
    """The PATCH body with the changed values. It leaves out the settings that do not apply (`_applies`)."""
    result: dict[str, Any] = {}
    for field in fields:
        if field.pointer in SWITCHED:
            _put_switch(result, field, before, now)
        elif now[field.pointer] != before[field.pointer] and _applies(field, now):
            _put(result, field.pointer, now[field.pointer])
    return result


def changed_fields(fields: tuple[SettingField, ...], before: Values, now: Values) -> list[SettingField]:
    """The fields that were changed and whose settings apply (`_applies`)."""
    return [field for field in fields if now[field.pointer] != before[field.pointer] and _applies(field, now)]


def _applies(field: SettingField, now: Values) -> bool:
    """Whether the setting applies. A setting applies if its switch is on, or if it depends on no switch (`only_with` is
    empty)."""
    return not field.only_with or bool(now[field.only_with])


def _put_switch(result: dict[str, Any], field: SettingField, before: Values, now: Values) -> None:
    """Put the setting of a switch into `result` if the switch was changed.

    The setting is null if the switch is off. Otherwise the setting is the whole object, with the values of its fields.
    """
    if now[field.pointer] == before[field.pointer]:
        return
    if not now[field.pointer]:
        result[field.pointer[1:]] = None
        return
    members = {name: now.get(f"{field.pointer}/{name}", value) for name, value in SWITCHED[field.pointer].items()}
    result[field.pointer[1:]] = members


def _put(result: dict[str, Any], pointer: str, value: Any) -> None:
    """Put the value into `result` at its pointer, and create the objects around it that do not exist yet."""
    *groups, name = pointer.split("/")[1:]
    target = result
    for group in groups:
        target = target.setdefault(group, {})
    target[name] = value


def _phone(typed: str) -> str:
    found = read_number(typed)
    if isinstance(found, NoNumber):
        raise InvalidValue(f"Enter a phone number, such as 201001234567: {found.reason}.")
    return found


def _number(typed: Any) -> int | float | None:
    if typed is None or typed == "":
        return None
    try:
        number = float(str(typed).replace("\u202f", "").replace(" ", ""))
        return int(number) if number == int(number) else number
    except (ValueError, OverflowError):  # `int` does not take "nan" and "inf"
        raise InvalidValue("Enter a number, such as 20.") from None


def _in_range(field: SettingField, number: int | float | None) -> int | float | None:
    if number is None:
        if not field.empty:
            raise InvalidValue("Enter a number.")
        return None
    low, high = field.low, field.high
    if (low is not None and number < low) or (high is not None and number > high):
        span = f"from {formats.plain(low or 0)} to {formats.plain(high)}" if high is not None else f"of at least {low}"
        raise InvalidValue(f"Enter a number {span}.")
    return number


def _text(field: SettingField, typed: str) -> str:
    if not typed and not field.empty:
        raise InvalidValue("Enter a name." if field.pointer == "/name" else "Choose a value.")
    return typed


def contradictions(fields: tuple[SettingField, ...], before: Values, now: Values) -> dict[str, str]:
    """The changed values that contradict others, with what is wrong. A limit over the limit of a longer span would
    never take effect. Values that were stored before are left alone, unless the operator changes one of them."""
    labels = {field.pointer: field.label for field in fields}
    found: dict[str, str] = {}
    for group in ("/profile_limits", "/limits"):
        spans = [f"{group}/{name}" for name in ("per_hour", "per_3_hours", "per_day")]
        for short, long in ((spans[0], spans[1]), (spans[1], spans[2]), (spans[0], spans[2])):
            less, more = now.get(short), now.get(long)
            if isinstance(less, int | float) and isinstance(more, int | float) and less > more:
                for pointer in (short, long):
                    if now[pointer] != before[pointer]:
                        found[pointer] = f"“{labels[short]}” is over “{labels[long]}”: it would never take effect."
    return found


def _own_limit(field: SettingField, typed: str) -> Any:
    if not typed:
        return FOLLOW_PACKAGE
    if field.null and typed.casefold() == NO_LIMIT:
        return None
    try:
        number = _number(typed)
    except InvalidValue:
        words = f"Enter a number, such as 20, or `{NO_LIMIT}`." if field.null else "Enter a number, such as 20."
        raise InvalidValue(words) from None
    return _in_range(field, number)


def _window(text: str) -> dict[str, str]:
    start, dash, end = text.strip().replace("–", "-").partition("-")
    if not dash:
        raise InvalidValue("Enter hours that look like 08:00-12:00, with commas between.")
    window = {"start": _time(start), "end": _time(end)}
    if window["end"] <= window["start"] and ":" not in text:
        raise InvalidValue(
            "These hours end before they begin. Enter them as 09:00-17:00; over midnight they look like 21:00-05:00."
        )
    return window


def _time(text: str) -> str:
    hour, _, minute = text.strip().partition(":")
    if not (hour.isdecimal() and (minute or "0").isdecimal()) or int(hour) > 23 or int(minute or 0) > 59:
        raise InvalidValue("Enter times that look like 08:00.")
    return f"{int(hour):02}:{int(minute or 0):02}"
