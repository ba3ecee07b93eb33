"""Settings: what the environment configures for the router."""

from datetime import timedelta

from pydantic import Field, PositiveFloat, PositiveInt

from spreader.settings import Settings


class RouterSettings(Settings):
    router_port: PositiveInt = 8002
    router_heard_wait_seconds: PositiveFloat = 0.5
    """How many seconds a reply waits, at most, until the router has read the customer's earlier messages. These
    messages decide the profile of the reply."""
    router_conversation_keep_days: float = Field(default=365.0, ge=30.0)
    """How many days the router keeps a conversation after its last message. While a package has a larger
    `conversation_days`, conversations are kept for that long."""

    @property
    def conversation_keep(self) -> timedelta:
        return timedelta(days=self.router_conversation_keep_days)
