"""Conflict: what somebody else changed in a document while an operator was filling in its form."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from console.core import draft, formats
from console.core.api_models import ApiChange
from console.core.setting_texts import SettingField

SOMEBODY = "Somebody without a name (API key)"


@dataclass(frozen=True, slots=True)
class ForeignChange:
    """A setting that has changed since the form was opened. `who` and `at` are None if the history does not say."""

    field: SettingField
    before: str
    after: str
    who: str | None = None
    at: datetime | None = None

    def sentence(self, zone: str, now: datetime) -> str:
        when = f", {formats.clock(self.at, zone, now)}" if self.at else ""
        return f"{self.who or SOMEBODY} changed it from {self.before} to {self.after}{when}."


def foreign_changes(
    fields: tuple[SettingField, ...], loaded: Mapping[str, Any], present: Mapping[str, Any]
) -> list[ForeignChange]:
    """The settings of a form that differ between two documents: the document with which the form was opened, and the
    present document."""
    before, after = draft.initial_values(loaded, fields), draft.initial_values(present, fields)
    return [
        ForeignChange(field, value_text(field, before[field.pointer]), value_text(field, after[field.pointer]))
        for field in fields
        if before[field.pointer] != after[field.pointer] and _is_on(field, before) and _is_on(field, after)
    ]


def with_authors(changes: Iterable[ForeignChange], history: Sequence[ApiChange], root: str) -> list[ForeignChange]:
    """The changes with their authors and times. `history`: the package's changes, newest first. `root`: the pointer of
    the form's document inside the package. It is "" for the package itself, and `/profiles/…` for a profile."""
    return [_with_author(change, history, root) for change in changes]


def _is_on(field: SettingField, values: draft.Values) -> bool:
    """Whether the setting applies. A setting does not apply while its switch is off. Then its value has no meaning."""
    return not field.only_with or bool(values[field.only_with])


def _with_author(change: ForeignChange, history: Sequence[ApiChange], root: str) -> ForeignChange:
    pointer = root + change.field.pointer
    for entry in history:
        if any(_overlap(pointer, difference.pointer) for difference in entry.differences):
            return ForeignChange(change.field, change.before, change.after, entry.who, entry.at)
    return change


def _overlap(one: str, other: str) -> bool:
    """Whether one pointer is the other, or is inside it."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def value_text(field: SettingField, value: Any) -> str:
    """A value of the form as the operator reads it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    shown = draft.format_value(field, value)
    return (field.empty or formats.DASH) if shown is None or shown == "" else str(shown)
