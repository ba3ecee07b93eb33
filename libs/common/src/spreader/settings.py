"""Settings: the environment variables of every service; each service adds its own."""

from pydantic import Field, PositiveFloat, PositiveInt
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read from `SPREADER_…`; an empty variable counts as not set. docs/settings.md lists them all."""

    model_config = SettingsConfigDict(env_prefix="SPREADER_", env_ignore_empty=True, extra="ignore", frozen=True)

    kafka_bootstrap_servers: str = "127.0.0.1:9092"
    kafka_security: str = Field(default="PLAINTEXT", pattern="^(PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL)$")
    kafka_username: str | None = None
    kafka_password: str | None = None
    kafka_ca_file: str | None = None
    kafka_alone: bool = False
    """For the in-memory broker of trials, where joining a group takes minutes: each service is one process, which reads
    all partitions without joining a group. With any other broker, a service refuses to start."""
    secret_keys: str | None = Field(default=None, repr=False)
    """Keys that encrypt gateway credentials, newest first, separated by commas; `python -m spreader key` makes one."""
    media_store: str = "file:.spreader/media"
    """Where media files are stored: `file:` and a folder, `s3://bucket/prefix`, `gs://…`, `az://…` (with their own
    variables)."""
    media_hosts_allowed: str = ""
    """`host:port` of internal servers from which media may be downloaded, separated by commas. Other private addresses
    are refused."""
    database_url: str = "postgresql://postgres@127.0.0.1:5432/spreader"
    database_connections: PositiveInt = 8
    instance: str | None = None
    """A name that this process keeps over restarts: it then gets its partitions back at once (static membership)."""
    host: str = "127.0.0.1"
    keep_alive_seconds: PositiveFloat = 75.0
    """How long an HTTP connection stays open without a request. Set more than your load balancer's idle time, which is
    usually 60 s: otherwise it may send a request into a connection that is just being closed."""
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    otlp_endpoint: str | None = Field(default=None, pattern="^https?://.+$")
    """The address of an OpenTelemetry collector (OTLP over HTTP). Not set: no traces."""
    trace_share: float = Field(default=1.0, ge=0, le=1)
    """The fraction of new traces that is recorded; for a trace that a caller started, the caller's decision holds."""
