"""Settings: what the environment configures for stats."""

from datetime import timedelta

from pydantic import Field, PositiveInt

from spreader.settings import Settings


class StatsSettings(Settings):
    stats_port: PositiveInt = 8001
    api_key: str | None = Field(default=None, repr=False)
    """The key that callers send as `Authorization: Bearer …`, the same as for ingress. Stats does not start without
    it."""
    stats_exports_max: PositiveInt = 8
    """How many exports one instance writes at a time. Further ones are refused with `429`."""
    stats_export_connections: PositiveInt = 2
    """How many Postgres connections all exports of an instance share, in addition to `SPREADER_DATABASE_CONNECTIONS`.
    An export uses a connection only while it reads a page."""
    stats_keep_days: float = Field(default=731.0, ge=35.0)
    """How many days stats keeps counts by hour, counts of messages, ended alerts and automatic changes. Reports and
    exports show nothing older."""

    @property
    def keep(self) -> timedelta:
        return timedelta(days=self.stats_keep_days)

    @property
    def required_api_key(self) -> str:
        if not self.api_key:
            raise SystemExit("SPREADER_API_KEY is not set. Set it to the same key as for ingress.")
        return self.api_key
