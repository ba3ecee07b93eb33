"""Settings: what the environment may decide for the ingress."""

from pydantic import PositiveFloat, PositiveInt

from spreader.settings import Settings


class IngressSettings(Settings):
    ingress_port: PositiveInt = 8000
    api_key: str | None = None
    """What callers must send as `Authorization: Bearer …`; without it the ingress does not start."""
    router_url: str = "http://127.0.0.1:8002"
    pacer_url: str = "http://127.0.0.1:8003"
    sender_url: str = "http://127.0.0.1:8004"
    simulator_url: str = "http://127.0.0.1:8090"
    body_bytes_max: PositiveInt = 8 * 1024 * 1024
    routed_wait_seconds: PositiveFloat = 2.0
    """How long an open message's answer waits for the router's distribution."""
    forecast_wait_seconds: PositiveFloat = 1.0
    """How long an open message's answer waits for the pacer's forecast of it."""
    settled_wait_seconds: PositiveFloat = 10.0
    """How long a reply's answer waits for the outcome."""
    configured_wait_seconds: PositiveFloat = 1.0
    """How long a change of configuration waits until this process has read it back from Kafka."""
    found_wait_seconds: PositiveFloat = 1.0
    """How long a look for an unknown message goes on: it may have been accepted a moment ago."""
    media_keep_days: PositiveFloat = 90.0
    """How long a file is kept after the last day on which a message named it: longer than any message is held."""
