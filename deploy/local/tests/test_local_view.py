"""The log lines of all programs in one output."""

import io
import json
import re

import pytest

from local.view import LINE_MAX, View, render

RELEASED = json.dumps(
    {"count": 3, "why": "a gap", "event": "released", "level": "info", "timestamp": "2026-03-01T12:00:01.123456Z"}
)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (RELEASED, 'pacer     12:00:01.123 released count=3 why="a gap"'),
        ('{"event": "slow", "level": "warning"}', "pacer     WARNING slow"),
        ('{"event": "bad", "level": "error", "exception": "Traceback: x"}', "pacer     ERROR bad\nTraceback: x"),
        ("Traceback (most recent call last):", "pacer     Traceback (most recent call last):"),
        ("{no json", "pacer     {no json"),
        ('{"other": 1}', 'pacer     {"other": 1}'),
        ("", "pacer     "),
    ],
)
def test_a_line_is_shown_after_the_name_of_its_program(line: str, shown: str) -> None:
    assert render("pacer", line, coloured=False) == shown


def test_only_a_terminal_gets_colours() -> None:
    assert "\x1b[" not in render("pacer", RELEASED, coloured=False)
    assert "\x1b[" in render("pacer", RELEASED, coloured=True)


def test_a_very_long_line_is_cut() -> None:
    assert len(render("pacer", "x" * 1_000_000, coloured=False)) < LINE_MAX + 50


def test_our_own_lines_look_like_those_of_a_service() -> None:
    output = io.StringIO()
    View(output, coloured=False).log("kafka is ready again")
    assert re.fullmatch(r"spreader  [\d:.]{12} kafka is ready again\n", output.getvalue())
