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
    sender_reply_concurrency: PositiveInt = 64
    sender_open_concurrency: PositiveInt = 64
    sender_connect_seconds: PositiveFloat = 2.0
    sender_call_seconds: PositiveFloat = 10.0
    """The longest that one call of a gateway may take, all phases together."""
    sender_lease_seconds: PositiveFloat = 15.0
    sender_drain_seconds: PositiveFloat = 15.0
    """How long a sender that stops waits for its calls."""
    sender_group_seconds: float = Field(default=0.01, ge=0)
    """How long an open delivery's result waits for others, to be written with them."""
    sender_keep_days: float = Field(default=8.0, gt=7.0)
    """How long the ledger knows a settled delivery: longer than Kafka keeps its records, so a replay sends nothing."""

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
