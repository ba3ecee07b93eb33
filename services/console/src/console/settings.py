"""Settings: what the environment may decide for the console."""

from pydantic import PositiveFloat, PositiveInt

from spreader.settings import Settings


class ConsoleSettings(Settings):
    console_port: PositiveInt = 8080
    ingress_url: str = "http://127.0.0.1:8000"
    stats_url: str = "http://127.0.0.1:8001"
    api_key: str | None = None
    """What the ingress and the stats are shown; without it they refuse, and the page says so."""
    console_poll_seconds: PositiveFloat = 1.0
