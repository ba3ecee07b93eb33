"""Logging: one JSON object a line, and no flood of repeated messages from a library."""

import json
import logging
from collections.abc import Generator
from typing import Any

import pytest
import structlog

from spreader.telemetry.logging import configure_logs


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Generator[None]:
    root = logging.getLogger()
    before = (root.handlers, root.level)
    filters = {name: list(logging.getLogger(name).filters) for name in ("aiokafka", "aiokafka.conn")}
    yield
    root.handlers, root.level = before
    for name, kept in filters.items():
        logging.getLogger(name).filters = kept
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_log_line_is_json_with_level_and_time(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("INFO")
    structlog.get_logger().info("ready", service="pacer")
    (line,) = lines(capsys)
    assert (line["event"], line["level"], line["service"]) == ("ready", "info", "pacer")
    assert line["timestamp"].endswith("Z")


def test_a_line_below_the_level_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("WARNING")
    structlog.get_logger().info("too quiet")
    structlog.get_logger().warning("loud enough")
    assert [line["event"] for line in lines(capsys)] == ["loud enough"]


def test_a_repeated_message_of_a_library_is_logged_once(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("INFO")
    for node in range(100):
        logging.getLogger("aiokafka.conn").error("Unable connect to node with id %s", node)
    logging.getLogger("aiokafka.conn").error("Something else")
    said = lines(capsys)
    assert [line["event"] for line in said] == ["Unable connect to node with id 0", "Something else"]
    assert {line["logger"] for line in said} == {"aiokafka.conn"}


def test_a_line_with_half_a_character_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("INFO")
    structlog.get_logger().error("cannot read \ud83d")
    (line,) = lines(capsys)
    assert line["event"] == "cannot read \ud83d"


def test_an_error_shows_its_traceback_in_the_same_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("INFO")
    try:
        raise ValueError("broken")
    except ValueError as error:
        structlog.get_logger().error("failed", exc_info=error)
    (line,) = lines(capsys)
    assert "ValueError: broken" in line["exception"]
