"""Archive: Kafka's classes as the JVM has loaded them once (AppCDS): the broker then starts in half the time."""

import sys
import tempfile
from pathlib import Path

from local.cache import locked
from local.jars import archive_file, kafka_jars
from local.java import java
from local.kafka import LocalKafka
from local.ports import free_port
from local.program import Command
from local.server import START_SECONDS, NotStarted, Server


class _Recording(LocalKafka):
    """A broker that writes the archive when it is stopped."""

    def command(self, *options: str) -> Command:
        return super().command(f"-XX:ArchiveClassesAtExit={self.folder / 'archive'}", *options)


def fetch_kafka(seconds: float = START_SECONDS) -> None:
    """Jars and archive are in the cache afterwards; a broker that cannot be archived is only slower."""
    kafka_jars()
    wanted = archive_file(java())
    with locked(wanted.with_suffix(".lock")):
        if not wanted.exists():
            _record(wanted, seconds)


def _record(wanted: Path, seconds: float) -> None:
    print("preparing Kafka for a quick start ...", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="spreader-archive-", dir=wanted.parent) as folder:
        broker = Server(_Recording(Path(folder), free_port()), Path(folder) / "log")
        try:
            broker.start(seconds)
        except NotStarted:
            print("Kafka cannot be prepared here: it only starts more slowly", file=sys.stderr, flush=True)
        finally:
            broker.stop()
        archive = Path(folder) / "archive"
        if not archive.exists():
            archive.touch()  # this Java, or this machine, cannot do it: an empty one says that it was tried
        archive.rename(wanted)
