"""Driver: how the sender talks to one kind of gateway; one module each behind this protocol.

A send has two halves: `prepare` gets everything ready and sends nothing, `send` makes the one call that counts.
Expected troubles are answers, never exceptions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sender.core.delivery import Delivery
from sender.core.gateway_answer import Answer, Finding, Refused
from sender.core.session_states import Checked
from sender.gateways.media import File
from spreader.contract.configuration import Profile


@dataclass(frozen=True, slots=True)
class Ready:
    """A request that only needs to be sent. `file`: the driver puts it into the body at the last moment."""

    url: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    file: File | None = None
    upload: str | None = None
    """The name of the file that it speaks of, at a gateway that keeps files."""

    def __repr__(self) -> str:
        return f"Ready({self.url})"  # headers hold a key, the body a customer's words


@dataclass(frozen=True, slots=True)
class NumberChecked:
    """Whether WhatsApp knows a number; `exists` None: this gateway does not say."""

    exists: bool | None
    detail: str
    address: str | None = None
    """The digits that WhatsApp knows it by, where it exists and the gateway names them."""
    refused: Refused | None = None
    """Why the gateway did not say."""


class Driver(Protocol):
    async def prepare(self, delivery: Delivery, profile: Profile) -> Ready | Refused:
        """May take long: files are fetched and uploaded. What it does may be repeated."""
        ...

    async def send(self, ready: Ready, delivery: Delivery, profile: Profile) -> Answer:
        """One call, never repeated here."""
        ...

    async def find(self, delivery: Delivery, profile: Profile) -> Finding:
        """Whether the gateway has sent this delivery."""
        ...

    async def check(self, profile: Profile) -> Checked:
        """How the profile stands at its gateway."""
        ...

    async def check_number(self, profile: Profile, number: str) -> NumberChecked:
        """Asks WhatsApp through the profile: whoever calls it keeps the pace (`sender.gateways.number_check`)."""
        ...


class Registrar(Protocol):
    async def register(self, package_id: str, profile: Profile) -> None:
        """Make the profile known to its gateway, with the address to report to; raises when it could not."""
        ...


Drivers = Mapping[str, Driver]
"""By the name in a profile's `gateway.driver`."""
Registrars = Mapping[str, Registrar]
