"""Logging: JSON lines on standard output, from Spreader and from its libraries."""

import json
import logging
import sys
import time
from typing import Any

import structlog
from opentelemetry import trace

from spreader.text.redaction import for_log

REPEAT_SECONDS = 5.0
_REPEATING = (
    "aiokafka",
    "aiokafka.conn",
    "aiokafka.client",
    "aiokafka.producer.sender",
    "aiokafka.consumer.group_coordinator",
    "aiokafka.consumer.fetcher",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
)


class _RepeatFilter(logging.Filter):
    """Drops a message that was logged in the last five seconds. While a broker is down, aiokafka logs the same message
    100 times a second."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        key, now = (record.name, str(record.msg)), time.monotonic()
        if now - self._last.get(key, -REPEAT_SECONDS) < REPEAT_SECONDS:
            return False
        self._last[key] = now
        return True


def _with_trace(_: object, __: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    span_context = trace.get_current_span().get_span_context()
    if span_context.is_valid:
        line["trace_id"] = f"{span_context.trace_id:032x}"
    return line


def _without_personal_data(_: object, __: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return {name: for_log(value) for name, value in line.items()}


def _json(line: object, **arguments: Any) -> str:
    """The line as JSON. Half characters (lone surrogates), which a text from outside may have, are escaped. Otherwise
    the line could not be written."""
    return json.dumps(line, ensure_ascii=False, **arguments).encode(errors="backslashreplace").decode()


def configure_logs(level: str) -> None:
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        _with_trace,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _without_personal_data,
                structlog.processors.JSONRenderer(_json),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    repeat_filter = _RepeatFilter()
    for quiet in ("aiokafka", "asyncio"):
        logging.getLogger(quiet).setLevel(logging.WARNING)
    faststream = logging.getLogger("faststream")  # it writes coloured text, and warns about settings that we chose
    faststream.handlers, faststream.propagate = [], True
    faststream.setLevel(logging.ERROR)
    for repeating in _REPEATING:
        logging.getLogger(repeating).addFilter(repeat_filter)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
