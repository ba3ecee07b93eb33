"""Setting texts: the fields of the settings forms. Their labels, ranges and explanations are in `wording.toml`."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal

SettingKind = Literal[
    "number",
    "own_limit",
    "choice",
    "switch",
    "time",
    "windows",
    "words",
    "text",
    "phone",
    "moment",
    "zone",
    "country",
]

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
NO_LIMIT = "no limit"
_GATEWAY_LABELS: Mapping[str, str] = {
    "/paused": "Paused",
    "/gateway/driver": "Gateway",
    "/gateway/account": "Account at the gateway",
    "/gateway/base_url": "Address of the gateway",
    "/gateway/credentials": "Credentials",
}


@dataclass(frozen=True, slots=True)
class SettingField:
    """One setting. `pointer` is its JSON pointer in the package or profile."""

    pointer: str
    label: str
    kind: SettingKind
    words: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    empty: str = ""
    """What an empty field means. If this text is itself empty, the field needs a value."""
    null: str = ""
    """What null means for a profile's own limit. Empty if the limit may not be null."""
    only_with: str = ""
    """The pointer of the switch that must be on for this setting to apply. Empty if there is no such switch."""
    advanced: bool = False
    """Whether the form folds the setting away. Few operators need such a setting."""


@dataclass(frozen=True, slots=True)
class SettingGroup:
    title: str
    words: str
    fields: tuple[SettingField, ...]


@cache
def package_groups() -> tuple[SettingGroup, ...]:
    return tuple(map(_group, _read()["package"]))


@cache
def profile_groups() -> tuple[SettingGroup, ...]:
    """The groups of a profile's settings.

    A profile's own limits have the same texts as the package's limits. An empty field means the package's limit, and
    the text `NO_LIMIT` means no limit.
    """
    return tuple(map(_group, _read()["profile"]))


def fields(groups: tuple[SettingGroup, ...]) -> tuple[SettingField, ...]:
    return tuple(field for group in groups for field in group.fields)


def label(pointer: str, names: Mapping[str, str] = MappingProxyType({})) -> str:
    """The name that the history of changes shows for a setting.

    It is the label of the setting's field. A setting without a field gets its pointer in words. `names`: the names of
    the profiles by id.
    """
    if pointer == "":
        return "The package"
    steps = pointer.split("/", 3)
    if steps[1] == "profiles" and len(steps) == 3:
        return f"Phone {names.get(steps[2], steps[2])}"
    inner = f"/{steps[3]}" if steps[1] == "profiles" else pointer
    labels = {field.pointer: field.label for field in (*fields(profile_groups()), *fields(package_groups()))}
    name = labels.get(inner) or _GATEWAY_LABELS.get(inner) or inner.strip("/").replace("/", " · ").replace("_", " ")
    return f"{name} ({names.get(steps[2], steps[2])})" if steps[1] == "profiles" else name


def _read() -> dict[str, Any]:
    return tomllib.loads(files("console").joinpath("core/wording.toml").read_text())


def _group(entry: Mapping[str, Any]) -> SettingGroup:
    if (title := entry.get("same_as")) is None:
        return SettingGroup(entry["title"], entry["words"], tuple(SettingField(**field) for field in entry["fields"]))
    same = next(group for group in package_groups() if group.title == title)
    own = tuple(
        replace(
            field,
            pointer=field.pointer.replace("/profile_limits", "/limits"),
            kind="own_limit",
            null=field.empty and NO_LIMIT,
            empty="the package's",
        )
        for field in same.fields
    )
    return SettingGroup(entry["title"], entry["words"], own)
