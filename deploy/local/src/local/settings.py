"""Settings: the environment variables of `make up`. All are optional."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, PositiveFloat, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from spreader.clock import SPEED_MAX, Clock
from spreader.vault import split_secrets

TREE = Path(__file__).parents[4]
DEMO_KEY = "dev-key"

Port = Annotated[int, Field(gt=0, lt=65_536)]


class LocalSettings(BaseSettings):
    """As for every service, an empty variable counts as not set."""

    model_config = SettingsConfigDict(env_prefix="SPREADER_", env_ignore_empty=True, extra="ignore", frozen=True)

    home: Path = TREE / ".spreader"
    """The folder of all data. Two systems with different homes and ports can run side by side."""
    clock_speed: float = Field(default=1.0, gt=0, le=SPEED_MAX)
    clock: str | None = None
    """A clock (`600@<wall>=<system>`) instead of the one that is saved in the home."""
    demo: bool = True
    """Whether an empty system gets the demo package, with simulated customers who reply by themselves."""
    api_key: str = Field(default=DEMO_KEY, repr=False)
    secret_keys: str | None = Field(default=None, repr=False)
    """Keys that encrypt gateway credentials. Not set: `make up` creates a key at the first start and keeps it in the
    home."""
    internal_token: str | None = Field(default=None, repr=False)
    """The token that services show to each other. Not set: `make up` creates a token at the first start and keeps it in
    the home."""
    media_store: str | None = None
    """Where media files are stored. Not set: in the home."""
    kafka_port: Port = 9092
    postgres_port: Port | None = None
    """The port of the Postgres that `make up` starts. Not set: any free port."""
    kafka_bootstrap_servers: str | None = None
    """The addresses of an existing Kafka. Not set: `make up` starts one."""
    database_url: str | None = Field(default=None, repr=False)
    """The address of an existing database. Not set: `make up` starts a Postgres server."""
    local_broker: str = "kafka"
    """With `memory`, `make up` uses the in-memory broker. It also does so if it cannot download Kafka."""
    ready_seconds: PositiveFloat = 120.0

    @property
    def caller_key(self) -> str:
        """The key that `make up` and `make demo` use. If `api_key` has several keys, it is the first one."""
        return next(iter(split_secrets(self.api_key)), "")

    @field_validator("clock")
    @classmethod
    def _is_a_clock(cls, text: str | None) -> str | None:
        if text is not None:
            Clock.parse(text)
        return text


def describe_errors(error: ValidationError) -> str:
    """One sentence that names the invalid variables."""
    invalid = "; ".join(_describe("_".join(map(str, detail["loc"])), detail["msg"]) for detail in error.errors())
    return f"Invalid setting: {invalid}. Correct or unset it."


def _describe(name: str, message: str) -> str:
    message = message.removeprefix("Value error, ")
    return message if message.startswith("SPREADER_") else f"SPREADER_{name.upper()}: {message}"
