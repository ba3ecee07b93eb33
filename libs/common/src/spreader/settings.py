"""Settings: what the environment may decide for every service; a service adds its own."""

from pydantic import Field, PositiveInt
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read from `SPREADER_…` (an empty one is as if it were not there); README and docs/settings.md list them."""

    model_config = SettingsConfigDict(env_prefix="SPREADER_", env_ignore_empty=True, extra="ignore", frozen=True)

    kafka_bootstrap_servers: str = "127.0.0.1:9092"
    kafka_security: str = Field(default="PLAINTEXT", pattern="^(PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL)$")
    kafka_username: str | None = None
    kafka_password: str | None = None
    kafka_ca_file: str | None = None
    kafka_alone: bool = False
    """For the in-memory broker of trials, whose groups take minutes to form: each service is one process, which takes
    all partitions and joins no group. A service refuses to start with it on any other broker."""
    secret_keys: str | None = Field(default=None, repr=False)
    """The keys that seal gateway credentials, newest first, with commas between; `python -m spreader key` makes one."""
    media_store: str = "file:.spreader/media"
    """Where media lie: `file:` and a folder, `s3://bucket/prefix`, `gs://…`, `az://…` (with their own variables)."""
    media_hosts_allowed: str = ""
    """`host:port` of internal servers from which files are fetched although they are private; commas between them."""
    database_url: str = "postgresql://postgres@127.0.0.1:5432/spreader"
    database_connections: PositiveInt = 8
    instance: str | None = None
    """A name that this process keeps over restarts: it then takes its partitions back at once (static membership)."""
    host: str = "127.0.0.1"
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    otlp_endpoint: str | None = Field(default=None, pattern="^https?://.+$")
    """Where traces go: the address of an OpenTelemetry collector (OTLP over HTTP); without it none are made."""
    trace_share: float = Field(default=1.0, ge=0, le=1)
    """Of the traces that begin here, so many are recorded; of one that a caller began the caller has decided."""
