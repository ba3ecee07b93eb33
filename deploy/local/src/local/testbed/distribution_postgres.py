"""Distribution Postgres: the server that this machine's distribution ships, with TLS. The embedded one has none."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg

from local.process.ports import HOST
from local.servers.postgres import USER, LocalPostgres, give_to_nobody
from local.testbed.certificates import Authority, Certificate
from local.unavailable import Unavailable
from spreader.tls import tls_context

VERSION_MIN = 15
_DEBIAN = Path("/usr/lib/postgresql")
_ACCESS = """\
hostssl all {certified} {host}/32 cert
hostssl all all {host}/32 scram-sha-256
"""
"""There is no line for a connection without TLS, so the server refuses it."""


@dataclass(frozen=True)
class DistributionPostgres(LocalPostgres):
    """It takes only connections with TLS. `certified`: a role that must show a certificate, and no password."""

    certified: str = "certified"

    @cached_property
    def authority(self) -> Authority:
        return Authority(self.data.with_name(f"{self.data.name}.certificates"))

    @cached_property
    def password(self) -> str:
        """The superuser's."""
        return uuid4().hex

    def url(self, database: str) -> str:
        return f"postgresql://{USER}:{self.password}@{HOST}:{self.port}/{database}"

    def of(self, role: str, database: str) -> dict[str, Any]:
        """The settings with which the role connects, without its password."""
        return {
            "database_url": f"postgresql://{role}@{HOST}:{self.port}/{database}",
            "database_security": "verify-full",
            "database_ca_file": self.authority.file,
        }

    def binary(self, name: str) -> str:
        return str(programs() / name)

    def init_options(self) -> list[str]:
        file = self.data.with_name(f"{self.data.name}.password")
        file.write_text(self.password)
        return ["--pwfile", str(file)]

    @cached_property
    def _certificate(self) -> Certificate:
        certificate = self.authority.certificate("server")
        give_to_nobody(certificate.key_file)
        return certificate

    def settings(self) -> dict[str, str]:
        access = self.data.with_name(f"{self.data.name}.access")
        access.write_text(_ACCESS.format(certified=self.certified, host=HOST))
        return {
            **super().settings(),
            "shared_buffers": "64MB",
            "ssl": "on",
            "ssl_cert_file": str(self._certificate.certificate_file),
            "ssl_key_file": str(self._certificate.key_file),
            "ssl_ca_file": str(self.authority.file),
            "hba_file": str(access),
        }

    async def check(self) -> None:
        context = tls_context(self.authority.file, None, None, "DATABASE")
        connection = await asyncpg.connect(self.url("postgres"), timeout=2, ssl=context)
        await connection.close()


@cache
def programs() -> Path:
    """The folder of the newest server that is new enough and has TLS. Raises Unavailable if there is none."""
    for folder in _folders():
        if _version(folder) >= VERSION_MIN and b"libssl" in (folder / "postgres").read_bytes():
            return folder
    raise Unavailable(
        f"No Postgres {VERSION_MIN} or newer with TLS is installed. Install it (Debian: apt-get install postgresql)."
    )


def _folders() -> Iterator[Path]:
    yield from sorted(_DEBIAN.glob("*/bin"), reverse=True)
    if (found := shutil.which("postgres")) is not None:
        yield Path(found).resolve().parent


def _version(folder: Path) -> int:
    shown = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False).stdout
    number = re.search(r"(\d+)", shown)
    return 0 if number is None else int(number[1])
