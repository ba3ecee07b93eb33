"""Settings: the environment variables of the sender."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from spreader.contract.events import Lane
from spreader.settings import Settings

LEASE_MARGIN_SECONDS = 2.0
"""How much longer a lease must be than the longest call: time for the event loop, the network and the database."""


class SenderSettings(Settings):
    sender_port: int = 8004
    ingress_url: str = "http://127.0.0.1:8000"
    """The address at which gateways reach ingress. They send their webhook calls to it."""
    sender_lanes: Literal["reply", "open", "both"] = "both"
    """The lanes whose deliveries this process sends. With `reply` for some processes and `open` for others, each lane
    gets processes of its own. Every process does the other work of the sender, such as checks and HTTP calls."""
    sender_reply_concurrency: PositiveInt = 256
    """The most replies that one process sends at a time. One gateway host gets at most four fifths of them."""
    sender_open_concurrency: PositiveInt = 256
    """The most open deliveries that one process sends at a time. One gateway host gets at most four fifths of them."""
    sender_connect_seconds: PositiveFloat = 2.0
    """Time-out for opening a connection to a gateway."""
    sender_call_seconds: PositiveFloat = 10.0
    """Time-out of a whole gateway call, from the connection to the response."""
    sender_file_seconds: PositiveFloat = 60.0
    """Time-out of a call that carries a file. This is an upload, or a send that contains the file."""
    sender_lease_seconds: PositiveFloat = 15.0
    """How long a claim is valid. After that, another process may claim the delivery."""
    sender_drain_seconds: PositiveFloat = 15.0
    """How long a stopping sender waits for its running calls."""
    sender_group_seconds: float = Field(default=0.01, ge=0)
    """How long the result of an open delivery waits for other results, so that they are written together."""
    sender_keep_days: float = Field(default=8.0, gt=7.0)
    """How many days the ledger keeps a settled delivery. This must be longer than Kafka keeps records, so that a replay
    sends nothing."""

    sender_watch_minutes: PositiveFloat = 10.0
    """The time between two checks of a profile at a real gateway, in minutes of the system's clock."""
    sender_number_checks_per_hour: PositiveInt = 20
    """The most number checks of one profile in an hour. WhatsApp may block new chats of a profile that checks many
    numbers."""

    @property
    def carried_lanes(self) -> Sequence[Lane]:
        return ("reply", "open") if self.sender_lanes == "both" else (self.sender_lanes,)

    @property
    def keep(self) -> timedelta:
        return timedelta(days=self.sender_keep_days)

    @property
    def lease(self) -> timedelta:
        return timedelta(seconds=self.sender_lease_seconds)

    @model_validator(mode="after")
    def _lease_outlasts_a_call(self) -> "SenderSettings":
        if self.sender_lease_seconds < self.sender_call_seconds + LEASE_MARGIN_SECONDS:
            raise ValueError(
                f"SPREADER_SENDER_LEASE_SECONDS is {self.sender_lease_seconds:g}, but a call may take "
                f"{self.sender_call_seconds:g} s, so another worker would claim a delivery during its send. "
                f"Make the lease at least {LEASE_MARGIN_SECONDS:g} s longer than SPREADER_SENDER_CALL_SECONDS."
            )
        return self
