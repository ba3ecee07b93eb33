"""Settings: what the environment configures for stats."""

from pydantic import PositiveInt

from spreader.settings import Settings


class StatsSettings(Settings):
    stats_port: PositiveInt = 8001
    api_key: str | None = None
    """The key that callers send as `Authorization: Bearer …`. Stats does not start without it."""

    @property
    def required_api_key(self) -> str:
        if not self.api_key:
            raise SystemExit("SPREADER_API_KEY is not set. Set it to the same key as for ingress.")
        return self.api_key
