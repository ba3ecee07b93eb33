"""Workbench: the Kafka and the Postgres that tests run on: local processes on free ports, gone without a trace."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.archive import fetch_kafka
from local.kafka import LocalKafka
from local.ports import free_port
from local.postgres import LocalPostgres
from local.server import Server

_PREFIX = "spreader-test-"


@dataclass(frozen=True, slots=True)
class Workbench:
    """Servers that are made but not started; they keep their ports and data as long as the folder lives."""

    kafka: Server
    postgres: Server
    kafka_servers: str
    postgres_url: str

    @classmethod
    def within(cls, folder: Path) -> "Workbench":
        kafka = LocalKafka(folder / "kafka", free_port())
        postgres = LocalPostgres(folder / "postgres", free_port(), durable=False)
        return cls(
            kafka=Server(kafka, folder / "kafka.log"),
            postgres=Server(postgres, folder / "postgres.log"),
            kafka_servers=kafka.bootstrap_servers,
            postgres_url=postgres.url("postgres"),
        )

    def start_kafka(self) -> None:
        """Raises Unavailable where this machine cannot have a durable Kafka."""
        fetch_kafka()
        self.kafka.start()

    def clear(self) -> None:
        self.kafka.kill()  # nobody needs its data any more, and a kind stop takes 5 s
        self.postgres.kill()


@contextmanager
def workbench() -> Generator[Workbench]:
    """A workbench in a temporary folder; what runs of a run that was killed are swept first."""
    _sweep()
    half = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}"))
    with (half / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = half.rename(half.with_name(half.name[1:]))  # from now on another run's sweep sees it, and the lock
        bench = Workbench.within(folder)
        try:
            yield bench
        finally:
            bench.clear()
            shutil.rmtree(folder, ignore_errors=True)


def _sweep() -> None:
    """Remove the folders of runs that ended without doing so: nobody holds their locks."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            with (folder / "lock").open("r") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if folder.stat().st_uid == os.geteuid():
                    shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # in use, or another user's
            continue
