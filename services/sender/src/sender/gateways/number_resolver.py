"""Number resolver: finds the form under which WhatsApp knows a number. Some gateways do not find this form themselves.

A number with two forms (`sender.core.brazil_numbers`) is looked up before the first open message to it, and the result
is kept for 30 days. The lookup counts against the profile's rate limit of number checks. It is made even if the limit
is reached, because the pacer already spaces open messages. A reply needs no lookup, because it goes to the number that
the customer wrote from.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from sender.core.brazil_numbers import other_form
from sender.core.delivery import Delivery, lane_of
from sender.core.gateway_answer import SendRefused
from sender.gateways.driver import NumberCheck
from sender.gateways.number_check import BURST, REMEMBERED_FOR, NumberStore, check_each_form
from sender.gateways.postgres import CheckedNumber
from sender.metrics import NUMBER_CHECKS
from spreader.clock import Now
from spreader.contract.configuration import Profile
from spreader.text.clean_text import clean

ABSENT = SendRefused("recipient", "the number is not on WhatsApp, neither with the 9 nor without it")


@dataclass(frozen=True, slots=True)
class NumberResolver:
    store: NumberStore
    now: Now
    per_hour: int

    async def resolve(
        self, delivery: Delivery, profile: Profile, ask: Callable[[str], Awaitable[NumberCheck]]
    ) -> str | SendRefused:
        """The digits of the number to send to. The result is a refusal if the number is not on WhatsApp or cannot be
        checked now.

        `ask` checks a number on WhatsApp through the profile.
        """
        number, now = delivery.recipient, self.now()
        if other_form(number) is None:
            return number
        stored = (await self.store.find([number], now - REMEMBERED_FOR)).get(number)
        if stored is not None and stored.address is not None:
            return stored.address
        if lane_of(delivery) == "reply":
            return number
        if stored is not None and not stored.exists:
            return ABSENT
        # This call only counts the check. Whether the limit allows the check does not matter here.
        await self.store.book(profile.profile_id, now, timedelta(hours=1) / self.per_hour, BURST)
        NUMBER_CHECKS.labels("before_a_send").inc()
        check = await check_each_form(ask, number)
        if check.exists is None:
            return self._without_result(check, number)
        await self.store.keep(CheckedNumber(number, check.exists, now, check.address))
        return (check.address or number) if check.exists else ABSENT

    def _without_result(self, check: NumberCheck, number: str) -> str | SendRefused:
        refused = check.refused
        if refused is not None and refused.failure == "content":
            return number  # this WAHA engine does not support the check: use the number as given
        return refused or SendRefused("transient", clean(f"the gateway could not check the number: {check.detail}"))
