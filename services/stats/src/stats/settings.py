"""Settings: what the environment may decide for the stats."""

from pydantic import PositiveInt

from spreader.settings import Settings


class StatsSettings(Settings):
    stats_port: PositiveInt = 8001
    api_key: str | None = None
    """What callers must send as `Authorization: Bearer …`; without it the stats do not start."""

    @property
    def required_api_key(self) -> str:
        if not self.api_key:
            raise SystemExit("SPREADER_API_KEY is not set, so nobody could be let in: set it to the ingress's key.")
        return self.api_key
