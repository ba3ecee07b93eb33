"""Settings: the console's environment variables."""

from pydantic import Field, PositiveFloat, PositiveInt

from spreader.settings import Settings


class ConsoleSettings(Settings):
    console_port: PositiveInt = 8080
    ingress_url: str = "http://127.0.0.1:8000"
    stats_url: str = "http://127.0.0.1:8001"
    console_poll_seconds: PositiveFloat = 1.0
    """Seconds between two polls of the data that changes most often. All open pages share these polls. If you double
    the seconds, all other data is polled half as often too."""
    console_secret: str | None = Field(default=None, repr=False)
    """Any long text. The console encrypts session cookies with it. If it is unset, the console makes a random text at
    each start. Then a restart signs everybody out."""
    console_session_hours: PositiveFloat = 12.0
    """How long a session lasts."""
    console_secure_cookie: bool = False
    """Whether browsers send the session cookie over https only. Switch it on if the console is served over https."""
