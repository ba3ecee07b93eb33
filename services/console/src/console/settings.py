"""Settings: what the environment may decide for the console."""

from pydantic import Field, PositiveFloat, PositiveInt

from spreader.settings import Settings


class ConsoleSettings(Settings):
    console_port: PositiveInt = 8080
    ingress_url: str = "http://127.0.0.1:8000"
    stats_url: str = "http://127.0.0.1:8001"
    console_poll_seconds: PositiveFloat = 1.0
    """How often what is most lively is asked for, for all pages together; the rest in proportion."""
    console_secret: str | None = Field(default=None, repr=False)
    """Seals the sessions of who is signed in: any long text. Without it one is made at each start: all sign in anew."""
    console_session_hours: PositiveFloat = 12.0
    """After so long one has to sign in again."""
    console_secure_cookie: bool = False
    """Whether the session's cookie travels over https only: set it where the console is reached by https."""
