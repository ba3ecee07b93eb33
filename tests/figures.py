"""Figures: what a test has measured: told at the end of the run, and kept where the test had the machine to itself."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

RESULTS = Path(__file__).parent.parent / "bench" / "results"
_PROPERTY = "figures"


@pytest.fixture
def keep(record_property: Callable[[str, object], None]) -> Callable[[str, Mapping[str, Any]], None]:
    """`keep("replies-under-load", {...})` writes bench/results/replies-under-load.json, unless other tests run beside.

    Those beside (see the root's conftest.py) would be measured with it: such figures are told, not kept.
    """

    def keep(name: str, figures: Mapping[str, Any]) -> None:
        record_property(_PROPERTY, f"{name}: {json.dumps(figures)}")
        if "PYTEST_XDIST_WORKER" not in os.environ:
            RESULTS.mkdir(parents=True, exist_ok=True)
            (RESULTS / f"{name}.json").write_text(json.dumps(figures, indent=2) + "\n")

    return keep


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    told = [
        said
        for report in terminalreporter.getreports("passed")
        for name, said in report.user_properties
        if name == _PROPERTY
    ]
    if told:
        terminalreporter.section("figures")
        for line in told:
            terminalreporter.line(str(line))
