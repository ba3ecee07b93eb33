"""Plan: what `make up` will run and where, decided (and the ports tried) before anything starts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from local.home import Home
from local.ports import HOST, check_ports
from local.servers import Servers
from local.services import Service, ServiceProgram, choose_ports, present
from local.settings import DEMO_KEY, LocalSettings
from spreader.clock import Clock, wall_now

REPLY_SHARE_OF_DEMO = "0.4"


@dataclass(frozen=True, slots=True)
class Plan:
    settings: LocalSettings
    home: Home
    services: tuple[Service, ...]
    ports: Mapping[str, int]

    @classmethod
    def of(cls, settings: LocalSettings) -> "Plan":
        services = present()
        return cls(settings, Home(settings.home.resolve()), services, choose_ports(services, os.environ))

    def check_ports(self) -> None:
        """Raises Unavailable where one is in use."""
        check_ports(self._wanted_ports())

    @property
    def addresses(self) -> dict[str, str]:
        return {name: f"http://{HOST}:{port}" for name, port in self.ports.items()}

    def programs(self, servers: Servers, clock: Clock) -> list[ServiceProgram]:
        environment = self.environment(servers, clock)
        return [ServiceProgram(service.name, self.ports[service.name], environment) for service in self.services]

    def environment(self, servers: Servers, clock: Clock) -> dict[str, str]:
        """What every service gets beside the environment that we were started with."""
        return {
            "SPREADER_KAFKA_BOOTSTRAP_SERVERS": servers.bootstrap_servers,
            "SPREADER_KAFKA_ALONE": str(servers.is_trial).lower(),
            "SPREADER_DATABASE_URL": servers.database_url,
            "SPREADER_CLOCK": clock.text,
            "SPREADER_API_KEY": self.settings.api_key,
            "SPREADER_SECRET_KEYS": self.settings.secret_keys or self.home.secret_key(),
            "SPREADER_CONSOLE_SECRET": self.home.secret_key(),
            "SPREADER_MEDIA_STORE": self.settings.media_store or f"file:{self.home.folder / 'media'}",
            **self._simulator(),
            **{f"SPREADER_{name.upper()}_PORT": str(port) for name, port in self.ports.items()},
            **{f"SPREADER_{name.upper()}_URL": address for name, address in self.addresses.items()},
        }

    def table(self, servers: Servers, clock: Clock) -> list[str]:
        """What runs where."""
        rows = [(service.name, self.addresses[service.name], service.what) for service in self.services]
        rows.append(("kafka", servers.bootstrap_servers, servers.kind_of_kafka))
        rows.append(("postgres", servers.database_url.rpartition("@")[2], servers.kind_of_postgres))
        if clock.speed != 1:
            rows.append(("clock", f"{clock.speed:g} times as fast", f"it is now {clock.at(wall_now()):%F %T} UTC"))
        if self.settings.api_key == DEMO_KEY:
            rows.append(("API key", DEMO_KEY, "for trying out: choose your own by SPREADER_API_KEY"))
        widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
        lines = [f"  {name:<{widths[0]}}  {where:<{widths[1]}}  {what}".rstrip() for name, where, what in rows]
        stays = f"Its data are in {self.home.folder}; Ctrl-C stops it: {servers.farewell}."
        return ["", f"Spreader runs. {stays}", *lines, ""]

    @property
    def ready_line(self) -> str:
        address = self.addresses.get("ingress", "nothing that answers yet")
        return f"ready: {address}/api/v1 (console {self.addresses.get('console', 'not built yet')})"

    def _simulator(self) -> dict[str, str]:
        """An own setting of the operator's wins; customers of a demo answer by themselves."""
        wished = {"SPREADER_SIMULATOR_HOME": str(self.home.folder / "simulator")}
        if self.settings.demo:
            wished["SPREADER_SIMULATOR_REPLY_SHARE"] = REPLY_SHARE_OF_DEMO
        return {name: os.environ.get(name) or value for name, value in wished.items()}

    def _wanted_ports(self) -> dict[str, int]:
        wanted = {service.port_setting: self.ports[service.name] for service in self.services}
        if self.settings.kafka_bootstrap_servers is None:
            wanted["SPREADER_KAFKA_PORT"] = self.settings.kafka_port
        if self.settings.database_url is None and self.settings.postgres_port is not None:
            wanted["SPREADER_POSTGRES_PORT"] = self.settings.postgres_port
        return wanted
