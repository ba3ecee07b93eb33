"""Class archive: Kafka's loaded classes (the JVM's AppCDS), with which the broker starts in half the time."""

import sys
import tempfile
from pathlib import Path

from local.downloads.cache import locked
from local.downloads.java import java
from local.downloads.kafka_jars import archive_file, kafka_jars
from local.process.ports import free_port
from local.process.program import Command
from local.process.server_process import START_SECONDS, NotStarted, ServerProcess
from local.servers.kafka import LocalKafka


class _ArchivingKafka(LocalKafka):
    """A broker that writes the archive when it is stopped."""

    def command(self, *options: str) -> Command:
        return super().command(f"-XX:ArchiveClassesAtExit={self.folder / 'archive'}", *options)


def prepare_kafka(seconds: float = START_SECONDS) -> None:
    """Put Kafka's jars and class archive into the cache. Without an archive, the broker only starts more slowly."""
    kafka_jars()
    archive = archive_file(java())
    with locked(archive.with_suffix(".lock")):
        if not archive.exists():
            _record(archive, seconds)


def _record(archive: Path, seconds: float) -> None:
    print("preparing Kafka for faster starts ...", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="spreader-archive-", dir=archive.parent) as folder:
        broker = ServerProcess(_ArchivingKafka(Path(folder), free_port()), Path(folder) / "log")
        try:
            broker.start(seconds)
        except NotStarted:
            print("cannot prepare Kafka for faster starts; continuing without", file=sys.stderr, flush=True)
        finally:
            broker.stop()
        recorded = Path(folder) / "archive"
        if not recorded.exists():
            recorded.touch()  # this Java cannot write an archive, and an empty file prevents another attempt
        recorded.rename(archive)
