"""Secured system: each service is a process with its own users, as in production, and not one of `make up`."""

import asyncio
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import aiohttp
from e2e.secured_servers import environment_of
from e2e.system import KEY, WAIT_SECONDS, WAITS, ExtraProcess, RunningSystem

from spreader.vault import new_key


@dataclass
class SecuredSystem(RunningSystem):
    """`connections`: the settings with which each service connects to Kafka and Postgres. It migrates nothing."""

    connections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    _services: dict[str, ExtraProcess] = field(default_factory=dict[str, ExtraProcess])

    async def start(self) -> None:
        self.folder.mkdir()
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {KEY}"}, timeout=aiohttp.ClientTimeout(total=60)
        )
        common = self._common()
        for name in ("simulator", *self.connections):
            given = {**common, **self.connections.get(name, {}), "instance": f"{name}-1"}
            log = self.folder / f"{name}.log"
            self._services[name] = ExtraProcess(self, name, environment_of(given), self.ports[name], log)
        await asyncio.gather(*(service.start() for service in self._services.values()))

    async def stop(self, by: signal.Signals = signal.SIGTERM) -> int:
        if self._session is not None:
            await self._session.close()
        await asyncio.gather(*(service.kill() for service in self._services.values()))
        return 0

    def logs(self) -> str:
        """What all services have logged."""
        return "\n".join(service.log.read_text(errors="replace") for service in self._services.values())

    def _common(self) -> Mapping[str, Any]:
        names = ("simulator", *self.connections)
        return {
            "api_key": KEY,
            "secret_keys": new_key(),
            "internal_token": uuid4().hex,
            "database_migrate": 0,
            "media_store": f"file:{self.folder / 'media'}",
            "simulator_home": self.folder / "simulator",
            **{f"{name.lower()}_wait_seconds": WAIT_SECONDS for name in WAITS},
            **{f"{name}_port": self.ports[name] for name in names},
            **{f"{name}_url": f"http://127.0.0.1:{self.ports[name]}" for name in names},
        }
