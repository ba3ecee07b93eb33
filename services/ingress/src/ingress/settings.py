"""Settings: the environment variables of the ingress."""

from datetime import timedelta

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from spreader.settings import Settings


class IngressSettings(Settings):
    ingress_port: PositiveInt = 8000
    api_key: str | None = Field(default=None, repr=False)
    """Callers send this key as `Authorization: Bearer …`. The ingress does not start without a key. While callers
    change to a new key, give the old and the new key, separated by a comma."""
    reseal_after_seconds: NonNegativeFloat = 600.0
    """The ingress waits for this time after its start. Then it begins to encrypt stored credentials again with the
    newest key. Restart all senders and all other instances of ingress with this key before the time is over. Otherwise
    they cannot decrypt the credentials."""
    router_url: str = "http://127.0.0.1:8002"
    pacer_url: str = "http://127.0.0.1:8003"
    sender_url: str = "http://127.0.0.1:8004"
    simulator_url: str = "http://127.0.0.1:8090"
    public_url: str | None = Field(default=None, pattern=r"^https?://[^\s/@]+(/[^\s]*)?$")
    """The address at which gateways reach ingress, such as `https://spreader.example.com`. `webhook_url` of a profile
    begins with this address. Without it, ingress cannot set webhooks at gateways."""
    body_bytes_max: PositiveInt = 8 * 1024 * 1024
    """The largest body of a request that sends or previews a message, in bytes."""
    routed_wait_seconds: PositiveFloat = 2.0
    """How long the response to an open message waits for the router's distribution."""
    forecast_wait_seconds: PositiveFloat = 1.0
    """How long the response to an open message waits for the pacer's forecast."""
    settled_wait_seconds: PositiveFloat = 10.0
    """How long the response to a reply waits for its outcome."""
    configured_wait_seconds: PositiveFloat = 1.0
    """How long the response to a change of configuration waits for this process to read the change back from Kafka."""
    found_wait_seconds: PositiveFloat = 1.0
    """How long a request for an unknown message waits until ingress knows the message. The wait helps if the message
    was accepted just before."""
    media_keep_days: PositiveFloat = 90.0
    """How many days a file is kept after its upload or its last use by a message. Choose a longer time than a message
    can wait, because a deleted file cannot be sent."""
    message_keep_days: float = Field(default=180.0, ge=35.0)
    """How many days of wall time a message and its deliveries are kept. The days count from the last event about the
    message or one of its deliveries. Choose at least 35 days, because a phone that was off for a month still sends its
    receipts afterwards."""
    change_keep_days: PositiveFloat = 731.0
    """How many days each entry in the history of configuration changes is kept."""

    @property
    def message_keep(self) -> timedelta:
        return timedelta(days=self.message_keep_days)

    @property
    def media_keep(self) -> timedelta:
        return timedelta(days=self.media_keep_days)

    @property
    def change_keep(self) -> timedelta:
        return timedelta(days=self.change_keep_days)
