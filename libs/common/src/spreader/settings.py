"""Settings: the environment variables that all services have. Each service adds its own."""

from pathlib import Path
from typing import Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from spreader.connection_faults import connection_faults


class Settings(BaseSettings):
    """Read from the variables `SPREADER_…`. An empty variable counts as not set. docs/settings.md lists all of them."""

    model_config = SettingsConfigDict(
        env_prefix="SPREADER_",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,  # an error of one setting would show all others, and so the secrets
    )

    kafka_bootstrap_servers: str = "127.0.0.1:9092"
    kafka_security: str = Field(default="PLAINTEXT", pattern="^(PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL)$")
    kafka_mechanism: str = Field(default="PLAIN", pattern="^(PLAIN|SCRAM-SHA-256|SCRAM-SHA-512)$")
    """How name and password are shown to Kafka (SASL): `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`. With `PLAIN`, the
    broker sees the password, so use it only with `SASL_SSL`."""
    kafka_username: str | None = None
    kafka_password: str | None = Field(default=None, repr=False)
    kafka_password_file: Path | None = None
    """A file with the password for SASL, instead of `SPREADER_KAFKA_PASSWORD`."""
    kafka_ca_file: Path | None = None
    kafka_certificate_file: Path | None = None
    """A file with the certificate (PEM) that the service shows to Kafka (mutual TLS)."""
    kafka_key_file: Path | None = None
    """A file with the private key of that certificate (PEM, not encrypted)."""
    kafka_alone: bool = False
    """Only for the in-memory broker of trials, where joining a group takes minutes. Each service is then one process,
    which reads all partitions without joining a group. If this is set with any other broker, services do not start."""
    secret_keys: str | None = Field(default=None, repr=False)
    """Keys that encrypt gateway credentials, newest first, separated by commas. `python -m spreader key` makes one, and
    `python -m ingress keys` says which ones are still needed."""
    internal_token: str | None = Field(default=None, repr=False)
    """Services show it to each other: router, pacer and sender refuse HTTP calls without it. Give all services the same
    value, such as one of `python -m spreader key`. `make up` makes one. If there are several, separated by commas, a
    service shows the first and accepts all."""
    media_store: str = "file:.spreader/media"
    """Where media files are stored: `file:` and a folder, `s3://bucket/prefix`, `gs://…`, `az://…` (with their own
    variables)."""
    media_hosts_allowed: str = ""
    """`host:port` of internal servers from which media may be downloaded, separated by commas. Other private addresses
    are refused."""
    contact: str | None = Field(default=None, pattern=r"^[!-'*-~]{1,200}$")
    """A web or mail address at which the owners of servers reach you. Requests that fetch media show it
    (`User-Agent: Spreader/<version> (+<contact>)`)."""
    database_url: str = Field(default="postgresql://postgres@127.0.0.1:5432/spreader", repr=False)
    database_password_file: Path | None = None
    """A file with the password for Postgres, instead of one in `SPREADER_DATABASE_URL`. It is read again for each new
    connection, so a changed password needs no restart."""
    database_security: str = Field(default="prefer", pattern="^(prefer|verify-full)$")
    """`verify-full`: connect only with TLS, and only to a server whose certificate is valid for its name. `prefer`: use
    TLS if the server offers it, and check no certificate."""
    database_ca_file: Path | None = None
    """A file with the certificate authorities of Postgres. Not set: those of the machine."""
    database_certificate_file: Path | None = None
    """A file with the certificate (PEM) that the service shows to Postgres."""
    database_key_file: Path | None = None
    """A file with the private key of that certificate (PEM, not encrypted)."""
    database_migrate: bool = True
    """Whether a service migrates its schema when it starts. Without this, it waits until `python -m spreader migrate`
    has done so. Then its role needs no right to change tables."""
    database_connections: PositiveInt = 8
    instance: str | None = None
    """A name that this process keeps over restarts. With a name, it gets its partitions back at once after a restart
    (static membership)."""
    host: str = "127.0.0.1"
    keep_alive_seconds: PositiveFloat = 75.0
    """How long an HTTP connection stays open without a request. Set more than your load balancer's idle time, which is
    usually 60 s: otherwise it may send a request into a connection that is just being closed."""
    response_stall_seconds: PositiveFloat = 120.0
    """How long the reader of a response may read nothing. Then the connection is cut, so that the reader sees an error.
    Set more than 60 s, because browsers and proxies pause a download for that long."""
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    otlp_endpoint: str | None = Field(default=None, pattern="^https?://.+$")
    """The address of an OpenTelemetry collector (OTLP over HTTP). Not set: no traces."""
    trace_share: float = Field(default=1.0, ge=0, le=1)
    """The fraction of new traces that is recorded. If a caller started a trace, the caller decides whether it is
    recorded."""

    @property
    def kafka_uses_tls(self) -> bool:
        return self.kafka_security in ("SSL", "SASL_SSL")

    @property
    def kafka_uses_sasl(self) -> bool:
        return self.kafka_security.startswith("SASL")

    @model_validator(mode="after")
    def _connections_are_complete(self) -> Self:
        for fault in connection_faults(dict(self)):
            raise ValueError(fault)
        return self
