"""Driver: how the sender talks to one kind of gateway; one module each behind this protocol."""

from collections.abc import Mapping
from typing import Protocol

from sender.core.answer import Answer, Finding
from sender.core.delivery import Delivery
from spreader.configuration import Profile


class Driver(Protocol):
    """Expected troubles are answers, never exceptions. No call takes longer than `sender_call_seconds`."""

    async def send(self, delivery: Delivery, profile: Profile) -> Answer: ...

    async def find(self, delivery: Delivery, profile: Profile) -> Finding:
        """Whether the gateway has sent this delivery."""
        ...

    async def register(self, package_id: str, profile: Profile) -> None:
        """Make the profile known to its gateway, with the address to report to; raises when it could not."""
        ...


Drivers = Mapping[str, Driver]
"""By the name in a profile's `gateway.driver`."""
