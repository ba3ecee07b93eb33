"""Figures: measurements of tests, printed at the end of a run; `make record` also writes them to bench/results.

`make record` runs only tests that measure, so that other tests do not disturb them. Tests marked `recorded` take
minutes and run only there.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from bench.report import Machine

RESULTS = Path(__file__).parent.parent / "bench" / "results"
_PROPERTY = "figures"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--record",
        action="store_true",
        help="run only the tests that measure, and write their figures to bench/results",
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    record = config.getoption("--record")
    chosen = {item for item in items if (_measures(item) if record else item.get_closest_marker("recorded") is None)}
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = [item for item in items if item in chosen]
    if record:  # a whole system keeps running until the end, so tests without one go first
        items.sort(key=lambda item: item.get_closest_marker("e2e") is not None)


def _measures(item: pytest.Item) -> bool:
    return "keep" in getattr(item, "fixturenames", ())


@pytest.fixture
def keep(
    request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> Callable[[str, Mapping[str, Any]], None]:
    """`keep("replies-under-load", {...})` writes bench/results/replies-under-load.json with `--record`."""

    def keep(name: str, figures: Mapping[str, Any]) -> None:
        record_property(_PROPERTY, f"{name}: {json.dumps(figures)}")
        if request.config.getoption("--record"):
            RESULTS.mkdir(parents=True, exist_ok=True)
            run = {"run": Machine.this().line, **figures}
            (RESULTS / f"{name}.json").write_text(json.dumps(run, indent=2) + "\n")

    return keep


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = [
        line
        for report in terminalreporter.getreports("passed")
        for name, line in report.user_properties
        if name == _PROPERTY
    ]
    if lines:
        terminalreporter.section("figures")
        for line in lines:
            terminalreporter.line(str(line))
