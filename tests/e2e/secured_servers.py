"""Secured servers: a Kafka with users, certificates and ACLs, and a Postgres with TLS and a role for each service."""

import os
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg

from local.process.ports import free_port
from local.process.server_process import ServerProcess, run_blocking
from local.servers.class_archive import prepare_kafka
from local.servers.postgres import create_database
from local.testbed.certificates import Certificate
from local.testbed.distribution_postgres import DistributionPostgres, programs
from local.testbed.secured_kafka import ADMINISTRATOR, SecuredKafka
from spreader.contract.access import USERS
from spreader.tls import tls_context

OWNER = "spreader"
CERTIFIED = "spreader_stats"
"""The role that shows a certificate. All others show a password."""
DATABASE = "spreader"


@contextmanager
def secured_kafka(folder: Path) -> Generator[SecuredKafka]:
    """A running broker whose topics and ACLs the commands have made. Raises Unavailable without Kafka."""
    prepare_kafka()
    kafka = SecuredKafka.within(folder / "kafka", USERS)
    process = ServerProcess(kafka, folder / "kafka.log")
    try:
        process.start()
        run_command(kafka.of(ADMINISTRATOR, "password"), "acls")
        run_command(kafka.of("operator", "password"), "topics")
        yield kafka
    finally:
        process.kill()


@dataclass(frozen=True, slots=True)
class Roles:
    """A running Postgres, and the settings with which each role connects to it."""

    server: DistributionPostgres
    folder: Path
    certificate: Certificate

    def of(self, role: str) -> dict[str, Any]:
        settings = self.server.of(role, DATABASE)
        if role == CERTIFIED:
            return {
                **settings,
                "database_certificate_file": self.certificate.certificate_file,
                "database_key_file": self.certificate.key_file,
            }
        return {**settings, "database_password_file": self.password_file(role)}

    def password_file(self, role: str) -> Path:
        return self.folder / f"{role}.password"

    def passwords(self) -> list[str]:
        """The present passwords of all roles."""
        return [self.server.password, *(file.read_text().strip() for file in self.folder.glob("*.password"))]

    def superuser(self, database: str = DATABASE) -> dict[str, Any]:
        return {**self.server.of("postgres", database), "database_url": self.server.url(database)}

    def set_password(self, role: str) -> None:
        """Give the role a new password, and write it into the role's file."""
        password = uuid4().hex
        self.password_file(role).write_text(f"{password}\n")
        run_blocking(self._execute(f"ALTER ROLE {role} PASSWORD '{password}'"))

    async def _execute(self, statement: str) -> None:
        context = tls_context(self.server.authority.file, None, None, "DATABASE")
        connection = await asyncpg.connect(self.server.url(DATABASE), ssl=context)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@contextmanager
def postgres_with_roles(folder: Path, services: tuple[str, ...]) -> Generator[Roles]:
    """A running server with the roles, but without tables. Raises Unavailable without a Postgres that has TLS."""
    programs()
    server = DistributionPostgres(folder / "postgres", free_port(), durable=False, certified=CERTIFIED)
    process = ServerProcess(server, folder / "postgres.log")
    try:
        process.start()
        run_blocking(create_database(server.url("postgres"), DATABASE))
        roles = Roles(server, folder, server.authority.certificate(CERTIFIED))
        run_command(roles.superuser(), "roles")
        for role in (OWNER, *(f"spreader_{service}" for service in services)):
            if role != CERTIFIED:
                roles.set_password(role)
        yield roles
    finally:
        process.kill()


def run_command(settings: Mapping[str, Any], *arguments: str) -> str:
    """Run `python -m spreader` with these settings. Returns its output."""
    completed = subprocess.run(
        [sys.executable, "-m", "spreader", *arguments],
        env=environment_of(settings),
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return completed.stdout


def environment_of(settings: Mapping[str, Any]) -> dict[str, str]:
    """The variables of a process with these settings and no others of Spreader."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("SPREADER_")}
    return {**others, **{f"SPREADER_{name.upper()}": str(value) for name, value in settings.items()}}
