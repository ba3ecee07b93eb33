"""Difference: one setting that a change has set, from what to what; and how a change is taken back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Absence(Enum):
    """Not there at all: other than null, which is a value."""

    ABSENT = "absent"


ABSENT = Absence.ABSENT
_ADDED_OR_REMOVED = "is taken back by removing or adding the thing itself"
_OF_A_GATEWAY = "belongs to its gateway, and is set there together with its credentials"


class NotUndoable(Exception):
    """Why a change cannot be taken back, in words for who asked."""


@dataclass(frozen=True, slots=True)
class Difference:
    """`pointer` is a JSON pointer into the document; `""` is all of it."""

    pointer: str
    before: Any
    after: Any

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> "Difference":
        return cls(kept["pointer"], kept.get("from", ABSENT), kept.get("to", ABSENT))

    def written(self) -> dict[str, Any]:
        """As it is kept and shown: what was not there has no member."""
        sides = {"from": self.before, "to": self.after}
        return {"pointer": self.pointer, **{name: value for name, value in sides.items() if value is not ABSENT}}


def differences(before: Any, after: Any, pointer: str = "") -> list[Difference]:
    """What differs between two documents: objects member by member, anything else as a whole."""
    if before == after:
        return []
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return [Difference(pointer, before, after)]
    names = [*before, *(name for name in after if name not in before)]
    return [
        found
        for name in names
        for found in differences(before.get(name, ABSENT), after.get(name, ABSENT), f"{pointer}/{_escaped(name)}")
    ]


def why_not_undoable(changed: Iterable[Difference]) -> str | None:
    """None: it can be taken back, as long as nothing has changed the same settings since."""
    for each in changed:
        steps = _steps(each.pointer)
        if not steps or (steps[0] == "profiles" and len(steps) == 2):
            return f"{each.pointer or 'the package'} {_ADDED_OR_REMOVED}"
        if steps[0] == "profiles" and steps[2] == "gateway":
            return f"{each.pointer} {_OF_A_GATEWAY}"
    return None


def put_back(document: Any, changed: Iterable[Difference]) -> Any:
    """The document with these differences taken back; raises `NotUndoable` where a setting has another value since."""
    for each in changed:
        document = _set(document, _steps(each.pointer), each)
    return document


def _set(value: Any, steps: tuple[str, ...], change: Difference) -> Any:
    if not steps:
        if value != change.after:
            raise NotUndoable(f"{change.pointer} has been changed since: take back the later change first")
        return change.before
    if not isinstance(value, dict):
        raise NotUndoable(f"{change.pointer} is not there any more: take back the later change first")
    inner = _set(value.get(steps[0], ABSENT), steps[1:], change)
    rest = {name: member for name, member in value.items() if name != steps[0]}
    return rest if inner is ABSENT else {**value, steps[0]: inner}


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _steps(pointer: str) -> tuple[str, ...]:
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])
