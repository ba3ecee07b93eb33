"""Difference: one setting that a change of the configuration has set, with its value before and after. An undo sets the
old value again."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, NotRequired

from typing_extensions import TypedDict

from spreader.text.clean_text import pointer_step


class Absence(Enum):
    """Stands for a value that is missing because an object lacks the member. It differs from null, which a member may
    have as its value."""

    ABSENT = "absent"


ABSENT = Absence.ABSENT
_ADDED_OR_REMOVED = "was added or removed: remove it or add it again instead"
_OF_A_GATEWAY = "is a setting of the gateway: change the profile's gateway instead"


DifferenceBody = TypedDict("DifferenceBody", {"pointer": str, "from": NotRequired[Any], "to": NotRequired[Any]})
"""The form in which a difference is stored and shown. `from` is left out if the setting had no value before the change.
`to` is left out if the setting has no value after the change."""


class NotUndoable(Exception):
    """The change cannot be undone. The text says why, and the caller sees it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """`pointer` is a JSON pointer into the package's document. The pointer `""` means the whole document.

    `before` is `ABSENT` if the change added the setting. `after` is `ABSENT` if the change removed it.
    """

    pointer: str
    before: Any
    after: Any

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Difference":
        return cls(stored["pointer"], stored.get("from", ABSENT), stored.get("to", ABSENT))

    def to_json(self) -> DifferenceBody:
        body: DifferenceBody = {"pointer": self.pointer}
        if self.before is not ABSENT:
            body["from"] = self.before
        if self.after is not ABSENT:
            body["to"] = self.after
        return body


def differences(before: Any, after: Any, pointer: str = "") -> list[Difference]:
    """The differences between two documents. Objects are compared member by member, and all other values as a whole."""
    if before == after:
        return []
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return [Difference(pointer, before, after)]
    names = [*before, *(name for name in after if name not in before)]
    return [
        difference
        for name in names
        for difference in differences(
            before.get(name, ABSENT), after.get(name, ABSENT), f"{pointer}/{pointer_step(name)}"
        )
    ]


def not_undoable_reason(changed: Iterable[Difference]) -> str | None:
    """Why these differences can never be undone, or None if `revert` can undo them."""
    for difference in changed:
        steps = _steps(difference.pointer)
        if not steps or (steps[0] == "profiles" and len(steps) == 2):
            return f"{difference.pointer or 'the package'} {_ADDED_OR_REMOVED}"
        if steps[0] == "profiles" and steps[2] == "gateway":
            return f"{difference.pointer} {_OF_A_GATEWAY}"
    return None


def revert(document: Any, changed: Iterable[Difference]) -> Any:
    """The document with these differences undone. Raises `NotUndoable` if one of these settings has changed again."""
    for difference in changed:
        document = _revert_at(document, _steps(difference.pointer), difference)
    return document


def _revert_at(value: Any, steps: tuple[str, ...], difference: Difference) -> Any:
    if not steps:
        if value != difference.after:
            raise NotUndoable(f"{difference.pointer} has been changed since: undo the later change first")
        return difference.before
    if not isinstance(value, dict):
        raise NotUndoable(f"{difference.pointer} no longer exists: undo the later change first")
    inner = _revert_at(value.get(steps[0], ABSENT), steps[1:], difference)
    rest = {name: member for name, member in value.items() if name != steps[0]}
    return rest if inner is ABSENT else {**value, steps[0]: inner}


def _steps(pointer: str) -> tuple[str, ...]:
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])
