"""Difference: what only one of two surfaces contains, as Markdown. A move to the common library is allowed."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from typing import Any

COMMON = "spreader"
OWNED = ("enumerated", "codes", "constants", "models", "defined")
"""Sets per package. A member may move between a service and the common library."""
NOTED = ("texts",)
"""Sets whose differences are only listed: texts for people, logs, SQL."""
SHOWN_CHARACTERS_MAX = 300
ALIKE_SHARE_MIN = 0.6
NEAR_WORDS = 6
PARTS_MAX = 5


class Difference:
    """The differences that are failures (`failing`), and those that are only listed (`noted`)."""

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
                self._compare_owned(section, before or {}, after or {})
            elif section == "files":
                self._compare_files(before or [], after or [])
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

    def _compare_owned(self, section: str, old: Mapping[str, list[str]], new: Mapping[str, list[str]]) -> None:
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
                line = f"{_names(before[value])} → {_names(after[value])}: {_shown(value)}"
                allowed = _may_move(before[value], after[value])
                self._add(self.noted if allowed else where, f"{section}, elsewhere", line)

    def _owners(self, packages: Mapping[str, list[str]]) -> dict[str, set[str]]:
        """The packages that have each value. Names of classes and modules are left out: they may change."""
        owners: dict[str, set[str]] = {}
        for package, values in packages.items():
            for value in values:
                if value not in self._names_of_code:
                    owners.setdefault(value, set()).add(package)
        return owners

    def _compare_files(self, old: list[str], new: list[str]) -> None:
        """Each file is `folder/name sha`. A file may move to another folder."""
        before, after = Counter(map(_without_folder, old)), Counter(map(_without_folder, new))
        self._add(self.failing, "files", *(f"lost: {each}" for each in sorted((before - after).elements())))
        self._add(self.failing, "files", *(f"new: {each}" for each in sorted((after - before).elements())))
        moved = (Counter(old) - Counter(new)).keys()
        stay = (each for each in sorted(moved) if after[_without_folder(each)] >= before[_without_folder(each)])
        self._add(self.noted, "files, elsewhere", *(f"from `{each.split(' ')[0]}`" for each in stay))


def _may_move(before: set[str], after: set[str]) -> bool:
    """Whether a value moved to the common library or out of it."""
    left, joined = before - after - {COMMON}, after - before - {COMMON}
    return (not left or COMMON in after) and (not joined or COMMON in before)


def _changes(before: Any, after: Any, path: str) -> Iterator[str]:
    """The innermost differences, with their paths."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            inside = f"{path} › {key}" if path else str(key)
            if key not in before:
                yield f"new: {inside}: {_shown(after[key])}"
            elif key not in after:
                yield f"lost: {inside}: {_shown(before[key])}"
            else:
                yield from _changes(before[key], after[key], inside)
    elif isinstance(before, list) and isinstance(after, list) and before != after:
        lost, gained = [each for each in before if each not in after], [each for each in after if each not in before]
        if len(lost) == len(gained) == 1:
            yield from _changes(lost[0], gained[0], f"{path} › *")
        elif lost or gained:
            yield from (f"lost: {path}: {_shown(each)}" for each in lost)
            yield from (f"new: {path}: {_shown(each)}" for each in gained)
        else:
            yield f"in another order: {path}: {_shown(before)} → {_shown(after)}"
    elif before != after or type(before) is not type(after):
        yield f"changed: {path}: {_shown(before)} → {_shown(after)}"


def _names(packages: set[str]) -> str:
    return ", ".join(sorted(packages))


def _without_folder(file: str) -> str:
    return file.rsplit("/", 1)[-1]


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    short = text if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[:SHOWN_CHARACTERS_MAX]} …"
    return f"`{short.replace('`', chr(39)).replace(chr(10), '⏎')}`"


def _most_alike(value: str, others: list[str]) -> str | None:
    """The text with the largest share of common words, if it reaches the minimum."""
    own = set(_words(value))
    shared = {other: len(own & set(_words(other))) / len(own | set(_words(other))) for other in others}
    best = max(others, key=lambda other: shared[other], default=None)
    return best if best is not None and shared[best] >= ALIKE_SHARE_MIN else None


def _words(text: str) -> list[str]:
    return re.findall(r"\w+|\W+", text)


def _both(value: str, other: str) -> str:
    """The parts that differ, each with a few words before and after it."""
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
