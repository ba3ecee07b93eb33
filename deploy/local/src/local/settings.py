"""Settings: what the environment may decide for `make up`; all of it is optional."""

from pathlib import Path

from pydantic import Field, PositiveFloat, PositiveInt
from pydantic_settings import BaseSettings, SettingsConfigDict

TREE = Path(__file__).parents[4]
DEMO_KEY = "dev-key"


class LocalSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SPREADER_", extra="ignore", frozen=True)

    home: Path = TREE / ".spreader"
    """Where data live; two systems with different homes and ports run side by side."""
    clock_speed: PositiveFloat = 1.0
    clock: str | None = None
    """A clock of one's own (`600@<wall>=<system>`) instead of the one that is kept in the home."""
    demo: bool = True
    """Whether an empty system gets the demo package, and simulated customers who answer by themselves."""
    api_key: str = DEMO_KEY
    secret_keys: str | None = Field(default=None, repr=False)
    """Without it a key is made at the first start and kept in the home."""
    media_store: str | None = None
    """Without it media lie in the home."""
    kafka_port: PositiveInt = 9092
    postgres_port: PositiveInt | None = None
    """Without it a free one is taken: nobody but the services needs to know it."""
    kafka_bootstrap_servers: str | None = None
    """An existing Kafka; without it one is started here."""
    database_url: str | None = None
    """An existing database; without it a server is started here."""
    local_broker: str = "kafka"
    """`memory` tries the system on an in-memory broker, as machines without Java and Maven do."""
    ready_seconds: PositiveFloat = 120.0
