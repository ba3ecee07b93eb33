"""Logging: one JSON object a line, and no flood of repeated messages from a library."""

import json
import logging
from collections.abc import Generator
from typing import Any

import pytest
import structlog
from pydantic import BaseModel, ValidationError

from spreader.telemetry.logging import configure_logs


@pytest.fixture(autouse=True)
def _filters_as_they_were() -> Generator[None]:
    filters = {name: list(logging.getLogger(name).filters) for name in ("aiokafka", "aiokafka.conn")}
    yield
    for name, kept in filters.items():
        logging.getLogger(name).filters = kept


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


class Person(BaseModel):
    name: int


def test_no_line_has_a_phone_number_or_what_somebody_sent(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("INFO")
    log = structlog.get_logger()
    log.info(
        "stored +201001234567",
        recipient="recipient:201001234567",
        path="/packages/p/suppressions/201001234567",
        numbers=["4915112345678"],
    )
    log.info("read", key="recipient:201001234567")
    log.info("raw", value={"201001234567@s.whatsapp.net": b"201001234567"})
    logging.getLogger("library").error("cannot call %s", "201001234567")
    try:
        Person.model_validate_json(json.dumps({"name": " ".join(("a private", "word of", "201001234567"))}))
    except ValidationError as error:
        log.error("not read", error=str(error))
        log.error("failed", exc_info=error)
        logging.getLogger("library").error("failed", exc_info=error)
    said = capsys.readouterr().out
    assert len(said.splitlines()) == 7
    for hidden in ("1001234567", "5112345678", "private word"):
        assert hidden not in said
    assert said.count("input_value=…, input_type=") == 3
    assert (json.loads(said.splitlines()[0])["event"], "…67" in said) == ("stored …67", True)


def test_ids_times_and_numbers_stay_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("INFO")
    kept = {"id": "dlv_00jq1234567890abcdefghijkl", "at": "2026-11-30T10:00:00.123456+00:00", "offset": 1234567890}
    structlog.get_logger().info("kept", **kept)
    (line,) = lines(capsys)
    assert {name: line[name] for name in kept} == kept


def test_an_error_shows_its_traceback_in_the_same_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("INFO")
    try:
        raise ValueError("broken")
    except ValueError as error:
        structlog.get_logger().error("failed", exc_info=error)
    (line,) = lines(capsys)
    assert "ValueError: broken" in line["exception"]


def test_the_tests_above_left_the_logs_of_later_tests_as_they_were() -> None:
    """The default of structlog would render the variables of each exception, which takes seconds."""
    assert isinstance(structlog.get_config()["processors"][-1], structlog.processors.KeyValueRenderer)
