"""PromQL: every query of the dashboards and rules, and the series that it selects."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
DASHBOARDS = sorted((ROOT / "deploy/grafana/dashboards").glob("*.json"))
RULES = sorted((ROOT / "deploy/prometheus").glob("*.rules.yml"))
PROMETHEUS_SERIES = {"ALERTS", "up"}
SCRAPE_LABELS = {"job", "instance"}
"""Labels that a scrape adds."""

Series = tuple[str, Mapping[str, str]]
"""The name and labels of a series of a process."""

_SELECTOR = re.compile(r"\b((?:spreader|process)[\w:]*|up|ALERTS)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"')
_GROUPING = re.compile(r"\b(?:by|on|without)\s*\(([^)]*)\)")


@dataclass(frozen=True, slots=True)
class Query:
    where: str
    text: str

    @property
    def selectors(self) -> Sequence["Selector"]:
        return [
            Selector(name, tuple(_MATCHER.findall(matchers or "")))
            for name, matchers in _SELECTOR.findall(_without_groupings(self.text))
        ]

    @property
    def grouped_by(self) -> set[str]:
        return {name.strip() for each in _GROUPING.findall(self.text) for name in each.split(",") if name.strip()}


@dataclass(frozen=True, slots=True)
class Selector:
    name: str
    matchers: tuple[tuple[str, str, str], ...]

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(_value_matches(labels.get(name, ""), operator, value) for name, operator, value in self.matchers)


def _without_groupings(text: str) -> str:
    return _GROUPING.sub("", text)


def _value_matches(value: str, operator: str, wanted: str) -> bool:
    if wanted == "$package":
        return value != ""
    is_met = re.fullmatch(wanted, value) is not None if operator.endswith("~") else value == wanted
    return is_met != operator.startswith("!")


def panels() -> Iterator[tuple[str, Mapping[str, Any]]]:
    for file in DASHBOARDS:
        for panel in json.loads(file.read_text())["panels"]:
            if panel["type"] != "row":
                yield f"{file.stem}: {panel['title']}", panel


@cache
def rules() -> Sequence[Mapping[str, Any]]:
    groups = [group for file in RULES for group in yaml.safe_load(file.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"]]


@cache
def queries() -> Sequence[Query]:
    shown = [Query(where, target["expr"]) for where, panel in panels() for target in panel["targets"]]
    return shown + [Query(rule.get("alert") or rule["record"], rule["expr"]) for rule in rules()]


def recorded() -> set[str]:
    return {rule["record"] for rule in rules() if "record" in rule}


def sources(selector: Selector) -> Sequence[Selector]:
    """The selectors that a recorded series is computed from, with the matchers of this selector added."""
    expression = next((rule["expr"] for rule in rules() if rule.get("record") == selector.name), None)
    if expression is None:
        return [selector]
    return [
        source
        for inner in Query(selector.name, expression).selectors
        for source in sources(Selector(inner.name, (*inner.matchers, *selector.matchers)))
    ]


def missing(query: Query, series: Sequence[Series]) -> list[str]:
    """The selectors of the query that match no series, and the labels it groups by that no series has."""
    labels_seen = set[str]()
    wrong: list[str] = []
    for selector in [source for each in query.selectors for source in sources(each)]:
        if selector.name in PROMETHEUS_SERIES:
            continue
        matched = [labels for name, labels in series if name == selector.name and selector.matches(labels)]
        labels_seen.update(*matched)
        if not matched:
            wrong.append(f"{query.where}: {selector.name} {selector.matchers}")
    grouped = query.grouped_by - SCRAPE_LABELS - labels_seen
    return [*wrong, *(f"{query.where}: no series has the label {label}" for label in sorted(grouped))]
