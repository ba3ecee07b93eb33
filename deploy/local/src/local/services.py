"""Services: the processes of the system, each with its port, its environment and its question "are you ready?"."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec

import aiohttp

from local.ports import HOST, free_port, is_free
from local.program import Command
from local.unavailable import Unavailable

ASK_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Service:
    """`public`: people call it, so its port must be the one they know; another takes a free one if it must."""

    name: str
    port: int
    what: str
    public: bool = False

    @property
    def port_setting(self) -> str:
        return f"SPREADER_{self.name.upper()}_PORT"

    @property
    def url_setting(self) -> str:
        return f"SPREADER_{self.name.upper()}_URL"


CATALOGUE = (
    Service("console", 8080, "the operators' page", public=True),
    Service("ingress", 8000, "the API: /api/v1, described at /docs", public=True),
    Service("stats", 8001, "figures of packages and profiles", public=True),
    Service("simulator", 8090, "stands in for WhatsApp: /ledger shows what arrived", public=True),
    Service("router", 8002, "chooses profiles"),
    Service("pacer", 8003, "keeps the limits"),
    Service("sender", 8004, "talks to gateways"),
)


def present() -> tuple[Service, ...]:
    """Those whose package can be run."""
    return tuple(service for service in CATALOGUE if _runs(service.name))


def _runs(package: str) -> bool:
    try:
        return find_spec(f"{package}.__main__") is not None
    except ModuleNotFoundError:
        return False


def choose_ports(services: tuple[Service, ...], environment: Mapping[str, str]) -> dict[str, int]:
    """By service: what the environment says, else the usual one, else (nobody needs to know it) a free one."""
    ports: dict[str, int] = {}
    for service in services:
        said = environment.get(service.port_setting)
        if said:
            ports[service.name] = _number(service.port_setting, said)
        elif service.public or (is_free(service.port) and service.port not in ports.values()):
            ports[service.name] = service.port
        else:
            ports[service.name] = free_port()
    return ports


def _number(setting: str, said: str) -> int:
    if not said.isdecimal() or not 0 < int(said) < 65_536:
        raise Unavailable(f"{setting} is {said!r}: a port is a number from 1 to 65535.")
    return int(said)


@dataclass(frozen=True, slots=True)
class ServiceProgram:
    name: str
    port: int
    environment: Mapping[str, str]

    def prepare(self) -> None:
        """A service migrates by itself."""

    def command(self) -> Command:
        own = {"SPREADER_INSTANCE": f"{self.name}-1", "PYTHONUNBUFFERED": "1"}
        return Command([sys.executable, "-m", self.name], {**_inherited(), **self.environment, **own})

    async def ask(self) -> None:
        address = f"http://{HOST}:{self.port}/health/ready"
        timeout = aiohttp.ClientTimeout(total=ASK_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(address) as answer:
            if answer.status != 200:
                raise ConnectionError((await answer.text())[:500])


def _inherited() -> dict[str, str]:
    """Our own environment; with byte code kept a service starts in a third of the time."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
