"""Plan: what `make up` will run and on which ports, decided before anything starts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from local.home import LocalHome
from local.process.ports import HOST, check_ports
from local.servers.local_servers import LocalServers
from local.services import ServiceEntry, ServiceProgram, choose_ports, installed_services
from local.settings import DEMO_KEY, LocalSettings
from spreader.clock import Clock, wall_now

REPLY_SHARE_OF_DEMO = "0.4"


@dataclass(frozen=True, slots=True)
class LaunchPlan:
    settings: LocalSettings
    home: LocalHome
    services: tuple[ServiceEntry, ...]
    ports: Mapping[str, int]

    @classmethod
    def of(cls, settings: LocalSettings) -> "LaunchPlan":
        services = installed_services()
        return cls(settings, LocalHome(settings.home.resolve()), services, choose_ports(services, os.environ))

    def check_ports(self) -> None:
        """Raise Unavailable when a port is in use."""
        check_ports(self._fixed_ports())

    @property
    def addresses(self) -> dict[str, str]:
        return {name: f"http://{HOST}:{port}" for name, port in self.ports.items()}

    def programs(self, servers: LocalServers, clock: Clock) -> list[ServiceProgram]:
        environment = self.environment(servers, clock)
        return [ServiceProgram(service.name, self.ports[service.name], environment) for service in self.services]

    def environment(self, servers: LocalServers, clock: Clock) -> dict[str, str]:
        """The variables that every service gets in addition to this process's environment."""
        return {
            "SPREADER_KAFKA_BOOTSTRAP_SERVERS": servers.bootstrap_servers,
            "SPREADER_KAFKA_ALONE": str(servers.is_trial).lower(),
            "SPREADER_DATABASE_URL": servers.database_url,
            "SPREADER_CLOCK": clock.text,
            "SPREADER_API_KEY": self.settings.api_key,
            "SPREADER_SECRET_KEYS": self.settings.secret_keys or self.home.secret_key(),
            "SPREADER_INTERNAL_TOKEN": self.settings.internal_token or self.home.internal_token(),
            "SPREADER_CONSOLE_SECRET": self.home.secret_key(),
            "SPREADER_MEDIA_STORE": self.settings.media_store or f"file:{self.home.folder / 'media'}",
            **self._simulator(),
            **{f"SPREADER_{name.upper()}_PORT": str(port) for name, port in self.ports.items()},
            **{f"SPREADER_{name.upper()}_URL": address for name, address in self.addresses.items()},
        }

    def table(self, servers: LocalServers, clock: Clock) -> list[str]:
        """The lines that list all processes and their addresses."""
        rows = [(service.name, self.addresses[service.name], service.description) for service in self.services]
        rows.append(("kafka", servers.bootstrap_servers, servers.kafka_description))
        rows.append(("postgres", servers.database_url.rpartition("@")[2], servers.postgres_description))
        if clock.speed != 1:
            rows.append(("clock", f"{clock.speed:g} times as fast", f"now {clock.at(wall_now()):%F %T} UTC"))
        if self.settings.api_key == DEMO_KEY:
            rows.append(("API key", DEMO_KEY, "for trials: set your own with SPREADER_API_KEY"))
        widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
        lines = [
            f"  {name:<{widths[0]}}  {address:<{widths[1]}}  {description}".rstrip()
            for name, address, description in rows
        ]
        heading = f"Spreader is running. Data: {self.home.folder}. Ctrl-C stops it; {servers.data_after_stop}."
        return ["", heading, *lines, ""]

    @property
    def ready_line(self) -> str:
        address = self.addresses.get("ingress", "(no ingress)")
        return f"ready: {address}/api/v1 (console {self.addresses.get('console', 'not installed')})"

    def _simulator(self) -> dict[str, str]:
        """The simulator's variables. Settings of the operator take precedence. In a demo, customers reply by
        themselves."""
        defaults = {"SPREADER_SIMULATOR_HOME": str(self.home.folder / "simulator")}
        if self.settings.demo:
            defaults["SPREADER_SIMULATOR_REPLY_SHARE"] = REPLY_SHARE_OF_DEMO
        return {name: os.environ.get(name) or value for name, value in defaults.items()}

    def _fixed_ports(self) -> dict[str, int]:
        ports = {service.port_setting: self.ports[service.name] for service in self.services}
        if self.settings.kafka_bootstrap_servers is None:
            ports["SPREADER_KAFKA_PORT"] = self.settings.kafka_port
        if self.settings.database_url is None and self.settings.postgres_port is not None:
            ports["SPREADER_POSTGRES_PORT"] = self.settings.postgres_port
        return ports
