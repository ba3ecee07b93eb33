"""Settings: the console's environment variables."""

from pydantic import Field, PositiveFloat, PositiveInt

from spreader.settings import Settings


class ConsoleSettings(Settings):
    console_port: PositiveInt = 8080
    ingress_url: str = "http://127.0.0.1:8000"
    stats_url: str = "http://127.0.0.1:8001"
    console_poll_seconds: PositiveFloat = 1.0
    """How often the console polls its most volatile data, for all pages together; other data in proportion."""
    console_secret: str | None = Field(default=None, repr=False)
    """Encrypts session cookies: any long text. Unset: random at each start, so a restart signs everybody out."""
    console_session_hours: PositiveFloat = 12.0
    """How long a session lasts."""
    console_secure_cookie: bool = False
    """Whether the session cookie is sent over https only. Set it where the console is served over https."""
