"""Settings: what the environment may decide for the sender."""

from datetime import timedelta

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from spreader.settings import Settings

LEASE_MARGIN_SECONDS = 2.0
"""Between the end of the longest call and the end of the lease: for the loop, the network and the database."""


class SenderSettings(Settings):
    sender_port: int = 8004
    ingress_url: str = "http://127.0.0.1:8000"
    """Where gateways report: the address of ingress as they reach it."""
    sender_reply_concurrency: PositiveInt = 256
    """Replies that one process sends at a time; one gateway's host gets four fifths of them at most."""
    sender_open_concurrency: PositiveInt = 256
    """Open deliveries that one process sends at a time; one gateway's host gets four fifths of them at most."""
    sender_connect_seconds: PositiveFloat = 2.0
    sender_call_seconds: PositiveFloat = 10.0
    """The longest that one call of a gateway may take, all phases together."""
    sender_file_seconds: PositiveFloat = 60.0
    """The longest that a call may take that carries a file: an upload, or a send with the file in it."""
    sender_lease_seconds: PositiveFloat = 15.0
    sender_drain_seconds: PositiveFloat = 15.0
    """How long a sender that stops waits for its calls."""
    sender_group_seconds: float = Field(default=0.01, ge=0)
    """How long an open delivery's result waits for others, to be written with them."""
    sender_keep_days: float = Field(default=8.0, gt=7.0)
    """How long the ledger knows a settled delivery: longer than Kafka keeps its records, so a replay sends nothing."""

    sender_watch_minutes: PositiveFloat = 10.0
    """How often a profile at a real gateway is asked how it stands there, by the system's clock."""
    sender_number_checks_per_hour: PositiveInt = 20
    """Numbers that one profile may ask WhatsApp for: asking much costs an account its new chats."""

    @property
    def lease(self) -> timedelta:
        return timedelta(seconds=self.sender_lease_seconds)

    @model_validator(mode="after")
    def _lease_outlasts_a_call(self) -> "SenderSettings":
        if self.sender_lease_seconds < self.sender_call_seconds + LEASE_MARGIN_SECONDS:
            raise ValueError(
                f"SPREADER_SENDER_LEASE_SECONDS is {self.sender_lease_seconds:g}, and a call may take "
                f"{self.sender_call_seconds:g}: another worker would take over what is still being sent. "
                f"Make the lease at least {LEASE_MARGIN_SECONDS:g} s longer than SPREADER_SENDER_CALL_SECONDS."
            )
        return self
