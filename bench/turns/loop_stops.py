"""Loop stops: the longest stops of the services' event loops, from the files of the watch."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

WATCH = Path(__file__).parent / "loop_watch"


class LoopStop(NamedTuple):
    """The longest stop of an event loop within a span of time. The watch writes a line with these values every
    second."""

    at: float
    """The end of the span, by `time.monotonic()`, which all processes of a machine share."""
    seconds: float
    worked_seconds: float
    """The longest time within one stop for which the loop's thread had a processor."""


def watch_settings(folder: Path) -> Mapping[str, str]:
    """The environment that makes every service of a system write its stops to the folder."""
    folder.mkdir()
    return {"PYTHONPATH": str(WATCH), "BENCH_LOOP_WATCH": str(folder)}


def longest(folder: Path, service: str, since: float, until: float) -> LoopStop:
    """The longest stop of the service between two times, and the largest `worked_seconds`. These may belong to two
    different stops."""
    stops = [stop for stop in _stops(folder, service) if since <= stop.at <= until]
    return LoopStop(until, max(stop.seconds for stop in stops), max(stop.worked_seconds for stop in stops))


def _stops(folder: Path, service: str) -> Iterator[LoopStop]:
    for file in folder.glob(f"{service}-*"):
        for line in file.read_text().splitlines():
            yield LoopStop(*map(float, line.split()))
