"""Message share: the deliveries that one profile would get of a planned message."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import overload

from pacer.core.policy import HeldDelivery
from pacer.core.schedule import schedule_slot
from spreader.contract.events import OpenOptions

ADDED_PREFIX = "added/"
"""The prefix of the delivery ids of the message that is forecast."""


@dataclass(frozen=True, slots=True)
class MessageShare(Sequence[HeldDelivery]):
    """A delivery is built only when it is read, because a message may have 100,000 deliveries.

    All recipients count as cold contacts, so the forecast shows the slowest case.
    """

    profile_id: str
    options: OpenOptions
    recipients: Sequence[str]
    """Some recipients of the message. The deliveries use them in turn, because the forecast needs only the recipients'
    time zones."""
    requested_at: datetime
    total: int
    """The number of the message's deliveries to all profiles."""
    indexes: range
    """The places of this profile's deliveries in the message."""

    def __len__(self) -> int:
        return len(self.indexes)

    @overload
    def __getitem__(self, place: int) -> HeldDelivery: ...
    @overload
    def __getitem__(self, place: slice) -> "MessageShare": ...
    def __getitem__(self, place: int | slice) -> "HeldDelivery | MessageShare":
        if isinstance(place, slice):
            return replace(self, indexes=self.indexes[place])
        index = self.indexes[place]
        recipient = self.recipients[index % len(self.recipients)] if self.recipients else ""
        slot = schedule_slot(self.options, self.requested_at, index, self.total, recipient)
        delivery_id = f"{ADDED_PREFIX}{self.profile_id}/{index}"
        return HeldDelivery(delivery_id, slot.rank, slot.not_before, recipient, cold=True)
