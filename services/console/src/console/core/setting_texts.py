"""Wording: every setting that a form has, with its bounds, and in plain words what it does (in wording.toml)."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any, Literal

Kind = Literal["number", "choice", "switch", "time", "windows", "words", "text", "phone", "moment", "zone"]

STRATEGIES: Mapping[str, str] = {
    "round_robin": "Round robin – the same number each",
    "random": "Random – by chance, less predictable",
    "weighted": "Weighted – in proportion to weights",
    "smart": "Smart – by health, room and who knows the customer",
}
WAITING: Mapping[str, str] = {
    "queued": "Queued – first in, first out",
    "immediate": "Immediate – ahead of the queue; limits hold",
    "scheduled": "Scheduled – not before a moment",
    "drip": "Drip – spread at an interval",
    "smart": "Smart timing – each recipient's best hour",
}
_OF_GATEWAYS: Mapping[str, str] = {
    "/paused": "Paused",
    "/gateway/driver": "Gateway",
    "/gateway/account": "Account at the gateway",
    "/gateway/base_url": "Address of the gateway",
    "/gateway/credentials": "Credentials",
}


@dataclass(frozen=True, slots=True)
class Field:
    """`pointer` is its place in the package (or profile)."""

    pointer: str
    label: str
    kind: Kind
    words: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    empty: str = ""
    """What it means to leave it empty; nothing: it must not be."""
    only_with: str = ""
    """The pointer of the switch without which it means nothing."""


@dataclass(frozen=True, slots=True)
class Group:
    title: str
    words: str
    fields: tuple[Field, ...]


@cache
def package() -> tuple[Group, ...]:
    return tuple(map(_group, _read()["package"]))


@cache
def profile() -> tuple[Group, ...]:
    """A profile's own limits are called as the package's; what is empty is the package's."""
    return tuple(map(_group, _read()["profile"]))


def fields(groups: tuple[Group, ...]) -> tuple[Field, ...]:
    return tuple(each for group in groups for each in group.fields)


def label(pointer: str) -> str:
    """What a setting is called in a history: the words of its field, else its place."""
    if pointer == "":
        return "The package"
    steps = pointer.split("/", 3)
    if steps[1] == "profiles" and len(steps) == 3:
        return f"Profile {steps[2]}"
    inner = f"/{steps[3]}" if steps[1] == "profiles" else pointer
    known = {each.pointer: each.label for each in (*fields(profile()), *fields(package()))}
    return known.get(inner) or _OF_GATEWAYS.get(inner) or inner.strip("/").replace("/", " · ").replace("_", " ")


def _read() -> dict[str, Any]:
    return tomllib.loads(files("console").joinpath("core/wording.toml").read_text())


def _group(written: Mapping[str, Any]) -> Group:
    if (title := written.get("same_as")) is None:
        return Group(written["title"], written["words"], tuple(Field(**each) for each in written["fields"]))
    same = next(group for group in package() if group.title == title)
    moved = tuple(
        replace(each, pointer=each.pointer.replace("/profile_limits", "/limits"), empty="the package's")
        for each in same.fields
    )
    return Group(written["title"], written["words"], moved)
