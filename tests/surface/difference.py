"""Difference: what one surface shows and another does not, as Markdown; a move to the common library is allowed."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from typing import Any

COMMON = "spreader"
OWNED = ("enumerated", "codes", "constants", "models", "defined")
"""Sets for each package; a member may move between a service and the common library."""
NOTED = ("texts",)
"""Likewise, and it fails for nothing: texts for people, logs, SQL."""
SHOWN_CHARACTERS_MAX = 300
ALIKE_SHARE_MIN = 0.6
NEAR_WORDS = 6
PARTS_MAX = 5


class Difference:
    """What fails, and what is only worth a look."""

    def __init__(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        self.failing: dict[str, list[str]] = {}
        self.noted: dict[str, list[str]] = {}
        self._names_of_code = {
            name
            for surface in (old, new)
            for name in surface.get("names_of_code", ())
            if "." in name or name[0].isupper()
        }
        for section in sorted({*old, *new} - {"names_of_code"}):
            before, after = old.get(section), new.get(section)
            if section in (*OWNED, *NOTED):
                self._owned(section, before or {}, after or {})
            elif section == "files":
                self._files(before or [], after or [])
            else:
                self._add(self.failing, section, *_changes(before, after, ""))

    def markdown(self) -> str:
        lines = ["# Surface", ""]
        if not self.failing:
            lines += ["No difference outside what is allowed.", ""]
        for title, sections in (("Differences", self.failing), ("Allowed, worth a look", self.noted)):
            lines += [f"## {title}", ""] if sections else []
            for section, found in sections.items():
                lines += [f"### {section} ({len(found)})", "", *(f"- {each}" for each in found), ""]
        return "\n".join(lines)

    def _add(self, where: dict[str, list[str]], section: str, *found: str) -> None:
        if found:
            where.setdefault(section, []).extend(found)

    def _owned(self, section: str, old: Mapping[str, list[str]], new: Mapping[str, list[str]]) -> None:
        before, after = self._owners(old), self._owners(new)
        lost = {each: before[each] for each in sorted(before.keys() - after.keys())}
        gained = {each: after[each] for each in sorted(after.keys() - before.keys())}
        where = self.noted if section in NOTED else self.failing
        for value, owners in lost.items():
            twin = _most_alike(value, [each for each in gained if gained[each] & {*owners, COMMON}])
            if twin is None:
                self._add(where, section, f"lost in {_names(owners)}: {_shown(value)}")
            else:
                self._add(where, section, f"changed in {_names(owners)}: {_both(value, twin)}")
                gained.pop(twin)
        for value, owners in gained.items():
            self._add(where, section, f"new in {_names(owners)}: {_shown(value)}")
        for value in sorted(before.keys() & after.keys()):
            left, joined = before[value] - after[value], after[value] - before[value]
            if left or joined:
                said = f"{_names(before[value])} → {_names(after[value])}: {_shown(value)}"
                allowed = _may_move(before[value], after[value])
                self._add(self.noted if allowed else where, f"{section}, elsewhere", said)

    def _owners(self, packages: Mapping[str, list[str]]) -> dict[str, set[str]]:
        """A class or a module of either surface may have another name in the other: such strings are left out."""
        found: dict[str, set[str]] = {}
        for package, values in packages.items():
            for value in values:
                if value not in self._names_of_code:
                    found.setdefault(value, set()).add(package)
        return found

    def _files(self, old: list[str], new: list[str]) -> None:
        """`folder/name sha`: a file may lie in another folder."""
        before, after = Counter(map(_without_folder, old)), Counter(map(_without_folder, new))
        self._add(self.failing, "files", *(f"lost: {each}" for each in sorted((before - after).elements())))
        self._add(self.failing, "files", *(f"new: {each}" for each in sorted((after - before).elements())))
        moved = (Counter(old) - Counter(new)).keys()
        stay = (each for each in sorted(moved) if after[_without_folder(each)] >= before[_without_folder(each)])
        self._add(self.noted, "files, elsewhere", *(f"from `{each.split(' ')[0]}`" for each in stay))


def _may_move(before: set[str], after: set[str]) -> bool:
    """Who has lost it finds it in the common library, or who has gained it had it there."""
    left, joined = before - after - {COMMON}, after - before - {COMMON}
    return (not left or COMMON in after) and (not joined or COMMON in before)


def _changes(before: Any, after: Any, place: str) -> Iterator[str]:
    """The innermost places that differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            inside = f"{place} › {key}" if place else str(key)
            if key not in before:
                yield f"new: {inside}: {_shown(after[key])}"
            elif key not in after:
                yield f"lost: {inside}: {_shown(before[key])}"
            else:
                yield from _changes(before[key], after[key], inside)
    elif isinstance(before, list) and isinstance(after, list) and before != after:
        lost, gained = [each for each in before if each not in after], [each for each in after if each not in before]
        if len(lost) == len(gained) == 1:
            yield from _changes(lost[0], gained[0], f"{place} › *")
        elif lost or gained:
            yield from (f"lost: {place}: {_shown(each)}" for each in lost)
            yield from (f"new: {place}: {_shown(each)}" for each in gained)
        else:
            yield f"in another order: {place}: {_shown(before)} → {_shown(after)}"
    elif before != after or type(before) is not type(after):
        yield f"changed: {place}: {_shown(before)} → {_shown(after)}"


def _names(packages: set[str]) -> str:
    return ", ".join(sorted(packages))


def _without_folder(file: str) -> str:
    return file.rsplit("/", 1)[-1]


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    short = text if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[:SHOWN_CHARACTERS_MAX]} …"
    return f"`{short.replace('`', chr(39)).replace(chr(10), '⏎')}`"


def _most_alike(value: str, others: list[str]) -> str | None:
    """By the words that both have."""
    own = set(_words(value))
    shared = {other: len(own & set(_words(other))) / len(own | set(_words(other))) for other in others}
    best = max(others, key=lambda other: shared[other], default=None)
    return best if best is not None and shared[best] >= ALIKE_SHARE_MIN else None


def _words(text: str) -> list[str]:
    return re.findall(r"\w+|\W+", text)


def _both(value: str, other: str) -> str:
    """The parts that differ, with some of what is before and after each."""
    one, two = _words(value), _words(other)
    changes = SequenceMatcher(None, one, two, autojunk=False).get_opcodes()
    parts = [
        f"{_shown(_near(one, start, end))} → {_shown(_near(two, begin, stop))}"
        for kind, start, end, begin, stop in changes
        if kind != "equal"
    ]
    more = [f"and {len(parts) - PARTS_MAX} more"] if len(parts) > PARTS_MAX else []
    return "; ".join(parts[:PARTS_MAX] + more)


def _near(words: list[str], start: int, end: int) -> str:
    return "".join(words[max(0, start - NEAR_WORDS) : end + NEAR_WORDS])
