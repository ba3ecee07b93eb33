"""Address: the form of a number that WhatsApp knows, for a gateway that does not look for it by itself.

A number of two forms (`core.brazil_numbers`) is looked up before the first message to it and remembered for 30 days.
The question takes a place in the profile's pace of number checks where one is free, and is not held up where none is:
the send that follows is paced itself. Whoever wrote is answered at the number that he wrote from: replies ask nothing.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from sender.core.brazil_numbers import other_form
from sender.core.delivery import Delivery, lane_of
from sender.core.gateway_answer import Refused
from sender.gateways.driver import NumberChecked
from sender.gateways.number_check import BURST, REMEMBERED, NumberStore, in_each_form
from sender.metrics import NUMBER_CHECKS
from spreader.clock import Now
from spreader.contract.configuration import Profile

ABSENT = Refused("recipient", "the number is not on WhatsApp, neither with the 9 nor without it")


@dataclass(frozen=True, slots=True)
class Addresses:
    store: NumberStore
    now: Now
    per_hour: int

    async def of(
        self, delivery: Delivery, profile: Profile, ask: Callable[[str], Awaitable[NumberChecked]]
    ) -> str | Refused:
        """The digits to send to. `ask`: whether WhatsApp knows a number, through the profile."""
        number, now = delivery.recipient, self.now()
        if other_form(number) is None:
            return number
        known = (await self.store.known([number], now - REMEMBERED)).get(number)
        if known is not None and known.address is not None:
            return known.address
        if lane_of(delivery) == "reply":
            return number
        if known is not None and not known.exists:
            return ABSENT
        await self.store.book(profile.profile_id, now, timedelta(hours=1) / self.per_hour, BURST)
        NUMBER_CHECKS.labels("before_a_send").inc()
        checked = await in_each_form(ask, number)
        if checked.exists is None:
            return self._unknown(checked, number)
        await self.store.keep(number, checked.exists, now, checked.address)
        return (checked.address or number) if checked.exists else ABSENT

    def _unknown(self, checked: NumberChecked, number: str) -> str | Refused:
        refused = checked.refused
        if refused is not None and refused.failure == "content":
            return number  # an engine that cannot be asked: what was given is all there is
        return refused or Refused("transient", f"it could not be asked for the number: {checked.detail}")
