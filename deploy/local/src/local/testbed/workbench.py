"""Workbench: the Kafka and Postgres that tests run on, as local processes in a temporary folder."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.process.ports import free_port
from local.process.server_process import ServerProcess
from local.servers.class_archive import prepare_kafka
from local.servers.kafka import LocalKafka
from local.servers.postgres import LocalPostgres

_PREFIX = "spreader-test-"


@dataclass(frozen=True, slots=True)
class Workbench:
    """The servers, which are not started yet. They keep their ports and data until the folder is deleted."""

    kafka: ServerProcess
    postgres: ServerProcess
    kafka_servers: str
    postgres_url: str

    @classmethod
    def within(cls, folder: Path) -> "Workbench":
        kafka = LocalKafka(folder / "kafka", free_port())
        postgres = LocalPostgres(folder / "postgres", free_port(), durable=False)
        return cls(
            kafka=ServerProcess(kafka, folder / "kafka.log"),
            postgres=ServerProcess(postgres, folder / "postgres.log"),
            kafka_servers=kafka.bootstrap_servers,
            postgres_url=postgres.url("postgres"),
        )

    def start_kafka(self) -> None:
        """Raises Unavailable when Kafka cannot run on this machine."""
        prepare_kafka()
        self.kafka.start()

    def clear(self) -> None:
        self.kafka.kill()  # the data are not needed, and a clean stop takes 5 s
        self.postgres.kill()


@contextmanager
def workbench() -> Generator[Workbench]:
    """A workbench in a temporary folder. Folders left by killed runs are deleted first."""
    _delete_abandoned()
    partial = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}"))
    with (partial / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = partial.rename(partial.with_name(partial.name[1:]))  # other runs see the folder only now, locked
        bench = Workbench.within(folder)
        try:
            yield bench
        finally:
            bench.clear()
            shutil.rmtree(folder, ignore_errors=True)


def _delete_abandoned() -> None:
    """Delete the folders of killed runs. The lock of such a folder is free."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            with (folder / "lock").open("r") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if folder.stat().st_uid == os.geteuid():
                    shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # the folder is in use, or belongs to another user
            continue
