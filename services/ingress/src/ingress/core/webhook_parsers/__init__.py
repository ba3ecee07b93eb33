"""Webhook parser: verifies one kind of gateway's webhook calls and turns them into reports."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from ingress.core.reports import AddressedReport

Secrets = Mapping[str, str]
"""The credentials of the profile whose webhook address was called."""
Refusal = Literal["no_signature", "wrong_signature", "too_old"]


@dataclass(frozen=True, slots=True)
class WebhookCall:
    """A webhook call as it arrived. Header names are in lower case.

    `wall`: when the call arrived, in wall time. The time stamp of a gateway is in wall time too, but the system's clock
    may run faster.
    """

    headers: Mapping[str, str] = field(repr=False)
    body: bytes
    wall: datetime


class WebhookParser(Protocol):
    @property
    def secret_name(self) -> str | None:
        """The name of the credential with which calls are verified. None if this gateway's calls cannot be verified."""
        ...

    def refusal(self, call: WebhookCall, secrets: Secrets) -> Refusal | None:
        """Why the call does not prove that it comes from the gateway. None if the proof is valid."""
        ...

    def parse(self, body: bytes, now: datetime) -> list[AddressedReport]:
        """All reports in a call. Unknown reports become `Ignored`. Raises ValueError if the body is not a JSON
        object."""
        ...
