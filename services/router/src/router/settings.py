"""Settings: what the environment may decide for the router."""

from pydantic import PositiveFloat, PositiveInt

from spreader.settings import Settings


class RouterSettings(Settings):
    router_port: PositiveInt = 8002
    router_heard_wait_seconds: PositiveFloat = 0.5
    """How long a reply waits until what customers wrote before it is read: it decides which account they talk to."""
