"""Logs: JSON lines on standard output, for our own words and for the libraries' alike."""

import logging
import sys
import time

import structlog
from opentelemetry import trace

REPEAT_SECONDS = 5.0


class _Sparing(logging.Filter):
    """Lets a library say a thing once in five seconds: aiokafka says it 100 times a second while a broker is away."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        said, now = (record.name, str(record.msg)), time.monotonic()
        if now - self._last.get(said, -REPEAT_SECONDS) < REPEAT_SECONDS:
            return False
        self._last[said] = now
        return True


def _with_trace(_: object, __: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    place = trace.get_current_span().get_span_context()
    if place.is_valid:
        line["trace_id"] = f"{place.trace_id:032x}"
    return line


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
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    sparing = _Sparing()
    for noisy in ("aiokafka", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    faststream = logging.getLogger("faststream")  # it has coloured text of its own, and warns of what we chose
    faststream.handlers, faststream.propagate = [], True
    faststream.setLevel(logging.ERROR)
    for noisy in ("aiokafka", "aiokafka.conn", "aiokafka.client", "aiokafka.producer.sender",
                  "aiokafka.consumer.group_coordinator", "aiokafka.consumer.fetcher",
                  "opentelemetry.exporter.otlp.proto.http.trace_exporter"):  # fmt: skip
        logging.getLogger(noisy).addFilter(sparing)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
