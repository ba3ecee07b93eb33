"""Hidden ids: asks a gateway for the number behind an id by which WhatsApp names a person. Only WAHA can be asked."""

from typing import Protocol, runtime_checkable

from sender.gateways.driver import Drivers
from spreader.contract.configuration import Profile


@runtime_checkable
class HiddenIdSource(Protocol):
    """A driver whose gateway knows the numbers behind hidden ids."""

    async def number_of(self, profile: Profile, hidden_id: str) -> str | None: ...


async def number_behind(drivers: Drivers, profile: Profile, hidden_id: str) -> str | None:
    """The number, or None if the gateway does not know it or cannot be asked."""
    driver = drivers[profile.gateway.driver]
    return await driver.number_of(profile, hidden_id) if isinstance(driver, HiddenIdSource) else None
