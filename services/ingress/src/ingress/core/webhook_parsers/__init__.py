"""Wire: how one kind of gateway reports: what proves that it is the gateway, and what it says."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from ingress.core.reports import Report

Secrets = Mapping[str, str]
"""The credentials of the profile whose address was called."""
Refusal = Literal["no_signature", "wrong_signature", "too_old"]


@dataclass(frozen=True, slots=True)
class Call:
    """A webhook as it arrived. Names of headers are in lower case; `wall` is the machine's time, not the system's."""

    headers: Mapping[str, str]
    body: bytes
    wall: datetime


class Wire(Protocol):
    @property
    def secret(self) -> str | None:
        """The name of the credential that proves who calls; None: this gateway proves nothing."""
        ...

    def refusal(self, call: Call, secrets: Secrets) -> Refusal | None:
        """Why the call is not believed; None: it is the gateway."""
        ...

    def reports(self, body: bytes, now: datetime) -> list[Report]:
        """All that it says; the unknown is passed over. Raises ValueError where the body is no JSON object."""
        ...
