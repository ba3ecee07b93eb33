"""Services: the processes of the system, each with its port, environment and readiness check."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec

import aiohttp

from local.process.ports import HOST, free_port, is_free
from local.process.program import Command
from local.unavailable import Unavailable

CHECK_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class ServiceEntry:
    """A service and its usual port. `public`: people call this service or open its pages, so it must get exactly its
    usual port."""

    name: str
    port: int
    description: str
    public: bool = False

    @property
    def port_setting(self) -> str:
        return f"SPREADER_{self.name.upper()}_PORT"

    @property
    def url_setting(self) -> str:
        return f"SPREADER_{self.name.upper()}_URL"


CATALOGUE = (
    ServiceEntry("console", 8080, "the operators' pages", public=True),
    ServiceEntry("ingress", 8000, "the API: /api/v1, documented at /docs", public=True),
    ServiceEntry("stats", 8001, "statistics of packages and profiles", public=True),
    ServiceEntry("simulator", 8090, "replaces WhatsApp: /ledger lists what arrived", public=True),
    ServiceEntry("router", 8002, "chooses profiles"),
    ServiceEntry("pacer", 8003, "keeps the limits"),
    ServiceEntry("sender", 8004, "talks to gateways"),
)


def installed_services() -> tuple[ServiceEntry, ...]:
    """The services whose Python package is installed."""
    return tuple(service for service in CATALOGUE if _is_installed(service.name))


def _is_installed(package: str) -> bool:
    try:
        return find_spec(f"{package}.__main__") is not None
    except ModuleNotFoundError:
        return False


def choose_ports(services: tuple[ServiceEntry, ...], environment: Mapping[str, str]) -> dict[str, int]:
    """The port of each service: the port that the environment names, or else the usual port. If the usual port is in
    use, a service that is not public gets a free one."""
    ports: dict[str, int] = {}
    for service in services:
        text = environment.get(service.port_setting)
        if text:
            ports[service.name] = _parse_port(service.port_setting, text)
        elif service.public or (is_free(service.port) and service.port not in ports.values()):
            ports[service.name] = service.port
        else:
            ports[service.name] = free_port()
    return ports


def _parse_port(setting: str, text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65_536:
        raise Unavailable(f"{setting} is {text!r}. Set it to a number from 1 to 65535.")
    return int(text)


@dataclass(frozen=True, slots=True)
class ServiceProgram:
    name: str
    port: int
    environment: Mapping[str, str]

    def prepare(self) -> None:
        """Does nothing, because a service migrates its database itself."""

    def command(self) -> Command:
        own = {"SPREADER_INSTANCE": f"{self.name}-1", "PYTHONUNBUFFERED": "1"}
        return Command([sys.executable, "-m", self.name], {**_inherited(), **self.environment, **own})

    async def check(self) -> None:
        address = f"http://{HOST}:{self.port}/health/ready"
        timeout = aiohttp.ClientTimeout(total=CHECK_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(address) as response:
            if response.status != 200:
                raise ConnectionError((await response.text())[:500])


def _inherited() -> dict[str, str]:
    """This process's environment, but with bytecode caching on, so that services start three times as fast."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
