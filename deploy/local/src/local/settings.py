"""Settings: what the environment may decide for `make up`; all of it is optional."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, PositiveFloat, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from spreader.clock import SPEED_MAX, Clock

TREE = Path(__file__).parents[4]
DEMO_KEY = "dev-key"

Port = Annotated[int, Field(gt=0, lt=65_536)]


class LocalSettings(BaseSettings):
    """As for every service, an empty variable is as if it were not there."""

    model_config = SettingsConfigDict(env_prefix="SPREADER_", env_ignore_empty=True, extra="ignore", frozen=True)

    home: Path = TREE / ".spreader"
    """Where data live; two systems with different homes and ports run side by side."""
    clock_speed: float = Field(default=1.0, gt=0, le=SPEED_MAX)
    clock: str | None = None
    """A clock of one's own (`600@<wall>=<system>`) instead of the one that is kept in the home."""
    demo: bool = True
    """Whether an empty system gets the demo package, and simulated customers who answer by themselves."""
    api_key: str = DEMO_KEY
    secret_keys: str | None = Field(default=None, repr=False)
    """Without it a key is made at the first start and kept in the home."""
    media_store: str | None = None
    """Without it media lie in the home."""
    kafka_port: Port = 9092
    postgres_port: Port | None = None
    """Without it a free one is taken: nobody but the services needs to know it."""
    kafka_bootstrap_servers: str | None = None
    """An existing Kafka; without it one is started here."""
    database_url: str | None = None
    """An existing database; without it a server is started here."""
    local_broker: str = "kafka"
    """`memory` tries the system on an in-memory broker, as machines without Java and Maven do."""
    ready_seconds: PositiveFloat = 120.0

    @field_validator("clock")
    @classmethod
    def _is_a_clock(cls, text: str | None) -> str | None:
        if text is not None:
            Clock.parse(text)
        return text


def what_is_wrong(error: ValidationError) -> str:
    """One sentence with the variables that must be changed."""
    wrong = "; ".join(_complaint("_".join(map(str, each["loc"])), each["msg"]) for each in error.errors())
    return f"A setting cannot be used: {wrong}. Change it, or leave it out."


def _complaint(name: str, said: str) -> str:
    """What names the variable itself stays as it is."""
    said = said.removeprefix("Value error, ")
    return said if said.startswith("SPREADER_") else f"SPREADER_{name.upper()}: {said}"
