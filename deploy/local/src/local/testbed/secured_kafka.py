"""Secured Kafka: a broker with users, certificates and ACLs, and the settings with which each user connects to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from local.process.ports import HOST, free_port
from local.process.program import Command
from local.servers.kafka import LocalKafka
from local.testbed.certificates import Authority, Certificate
from spreader.settings import Settings

Listener = Literal["open", "password", "certificate", "both"]
"""What a client shows: a password without TLS, a password over TLS, a certificate, or a password and a certificate."""
PROTOCOLS: Mapping[Listener, str] = {
    "open": "SASL_PLAINTEXT",
    "password": "SASL_SSL",
    "certificate": "SSL",
    "both": "SASL_SSL",
}
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
ADMINISTRATOR = "administrator"
_BROKER = "broker"
_PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"

_SECURITY = """\
listeners={listeners},CONTROLLER://{host}:{controller_port}
advertised.listeners={listeners}
listener.security.protocol.map={protocols},CONTROLLER:PLAINTEXT
inter.broker.listener.name=CERTIFICATE
sasl.enabled.mechanisms={mechanisms}
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={truststore}
listener.name.certificate.ssl.client.auth=required
listener.name.both.ssl.client.auth=required
ssl.principal.mapping.rules=RULE:^CN=([^,]+)$/$1/,DEFAULT
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:{administrator};User:{broker};User:ANONYMOUS
"""
"""ANONYMOUS is the controller, whose listener only this broker uses. No client can be anonymous."""


@dataclass(frozen=True)
class SecuredKafka(LocalKafka):
    """All users have a password for each mechanism, and a certificate."""

    users: tuple[str, ...] = ()
    ports: Mapping[Listener, int] = field(default_factory=dict[Listener, int])

    @classmethod
    def within(cls, folder: Path, users: tuple[str, ...]) -> "SecuredKafka":
        ports: dict[Listener, int] = {listener: free_port() for listener in PROTOCOLS}
        return cls(folder, ports["open"], users=users, ports=ports)

    @cached_property
    def authority(self) -> Authority:
        return Authority(self.folder / "certificates")

    @cached_property
    def passwords(self) -> Mapping[str, str]:
        return {user: uuid4().hex for user in (ADMINISTRATOR, *self.users)}

    @cached_property
    def certificates(self) -> Mapping[str, Certificate]:
        return {user: self.authority.certificate(user) for user in (_BROKER, ADMINISTRATOR, *self.users)}

    def of(self, user: str, listener: Listener, mechanism: str = "SCRAM-SHA-512") -> dict[str, Any]:
        """The settings with which the user connects."""
        settings: dict[str, Any] = {
            "kafka_bootstrap_servers": f"{HOST}:{self.ports[listener]}",
            "kafka_security": PROTOCOLS[listener],
        }
        if listener != "open":
            settings["kafka_ca_file"] = self.authority.file
        if listener in ("certificate", "both"):
            certificate = self.certificates[user]
            settings["kafka_certificate_file"] = certificate.certificate_file
            settings["kafka_key_file"] = certificate.key_file
        if listener != "certificate":
            file = self.folder / f"{user}.password"
            file.write_text(f"{self.passwords[user]}\n")
            settings |= {"kafka_mechanism": mechanism, "kafka_username": user, "kafka_password_file": file}
        return settings

    def client_settings(self) -> Settings:
        return Settings(**self.of(ADMINISTRATOR, "password"))

    def command(self, *options: str) -> Command:
        return super().command("-Xms64m", "-Xmx256m", *options)

    def format_options(self) -> Sequence[str]:
        users = [
            f"{mechanism}=[name={user},password={password}]"
            for user, password in self.passwords.items()
            for mechanism in MECHANISMS
            if mechanism != "PLAIN"
        ]
        return [part for user in users for part in ("--add-scram", user)]

    def properties(self, data: Path, controller_port: int) -> str:
        broker = self.certificates[_BROKER]
        keystore = self.folder / "broker.pem"
        keystore.touch(mode=0o600)
        keystore.write_text(broker.key_file.read_text() + broker.certificate_file.read_text())
        secured = _SECURITY.format(
            host=HOST,
            controller_port=controller_port,
            listeners=",".join(f"{name.upper()}://{HOST}:{port}" for name, port in self.ports.items()),
            protocols=",".join(f"{name.upper()}:{protocol}" for name, protocol in PROTOCOLS.items()),
            mechanisms=",".join(MECHANISMS),
            keystore=keystore,
            truststore=self.authority.file,
            administrator=ADMINISTRATOR,
            broker=_BROKER,
        )
        return "\n".join([super().properties(data, controller_port), secured, *self._logins(), ""])

    def _logins(self) -> list[str]:
        users = " ".join(f'user_{user}="{password}"' for user, password in self.passwords.items())
        modules = {"PLAIN": f"{_PLAIN} required {users};"}
        return [
            f"listener.name.{listener}.{mechanism.lower()}.sasl.jaas.config="
            f"{modules.get(mechanism, f'{_SCRAM} required;')}"
            for listener in ("open", "password", "both")
            for mechanism in MECHANISMS
        ]
