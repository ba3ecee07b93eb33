"""Settings: what the environment configures for the router."""

from pydantic import PositiveFloat, PositiveInt

from spreader.settings import Settings


class RouterSettings(Settings):
    router_port: PositiveInt = 8002
    router_heard_wait_seconds: PositiveFloat = 0.5
    """How many seconds a reply waits, at most, until the router has read the customer's earlier messages. These
    messages decide the profile of the reply."""
