"""Settings: what the environment configures for the router."""

from pydantic import PositiveFloat, PositiveInt

from spreader.settings import Settings


class RouterSettings(Settings):
    router_port: PositiveInt = 8002
    router_heard_wait_seconds: PositiveFloat = 0.5
    """How long a reply waits for earlier messages of its customer to be read. They decide the profile of the reply."""
