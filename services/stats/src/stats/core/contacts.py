"""Contact history: the messages between a profile and one recipient, as far as the counts need them.

Outcomes and customers' messages arrive on different topics, so an answer may be read before the message that it
answers. The counts are the same in either order.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

SPOKEN_FOR = timedelta(days=30)
"""For this long after the profile's last open message to a recipient, the recipient is not a new contact."""
WARM_FOR = timedelta(days=28)
"""For this long after a recipient's last message, the recipient is not a new contact. WhatsApp also trusts the profile
for this long."""


@dataclass(frozen=True, slots=True)
class ContactHistory:
    spoke_at: datetime | None = None
    """The time of the profile's last open message."""
    wrote_first_at: datetime | None = None
    """The time of the recipient's first message."""
    wrote_at: datetime | None = None
    """The time of the recipient's last message."""
    asked_at: datetime | None = None
    """The time of the first open message that the recipient has not answered. None: no message awaits an answer."""
    asked_by: str | None = None
    """The message id of the open message at `asked_at`."""
    opened_at: datetime | None = None
    """When the recipient became a new contact. None if the recipient is not a new contact, or has answered."""
    receives: bool = False
    """Whether any message was delivered to the recipient."""

    def is_new(self, at: datetime) -> bool:
        """Whether an open message at this time makes the recipient a new contact."""
        was_spoken_to = self.spoke_at is not None and self.spoke_at >= at - SPOKEN_FOR
        wrote = self.wrote_at if self.wrote_at is not None and self.wrote_at < at else self.wrote_first_at
        is_warm = wrote is not None and at - WARM_FOR <= wrote < at
        return not was_spoken_to and not is_warm


@dataclass(frozen=True, slots=True)
class CustomerAnswer:
    """The first message of a recipient after open messages of the profile."""

    at: datetime
    message_id: str | None
    """The id of the first open message that it answers."""
    opened_at: datetime | None
    """When the open messages made the recipient a new contact, if they did."""


def after_open_message(
    contact: ContactHistory, at: datetime, message_id: str
) -> tuple[ContactHistory, CustomerAnswer | None]:
    """The history after an open message. If stats has already read the answer to this message, the answer is returned
    too."""
    opened_at = at if contact.is_new(at) else contact.opened_at
    asked_at, asked_by = contact.asked_at, contact.asked_by
    if asked_at is None:
        asked_at, asked_by = at, message_id
    spoke_at = at if contact.spoke_at is None else max(contact.spoke_at, at)
    asked = replace(contact, spoke_at=spoke_at, asked_at=asked_at, asked_by=asked_by, opened_at=opened_at)
    later = [wrote for wrote in (contact.wrote_first_at, contact.wrote_at) if wrote is not None and wrote > at]
    return _after_answer(asked, min(later)) if later else (asked, None)


def after_customer_message(contact: ContactHistory, at: datetime) -> tuple[ContactHistory, CustomerAnswer | None]:
    """The history after a message of the recipient, and an answer if open messages awaited one."""
    first = at if contact.wrote_first_at is None else min(contact.wrote_first_at, at)
    last = at if contact.wrote_at is None else max(contact.wrote_at, at)
    return _after_answer(replace(contact, wrote_first_at=first, wrote_at=last), at)


def _after_answer(contact: ContactHistory, at: datetime) -> tuple[ContactHistory, CustomerAnswer | None]:
    if contact.asked_at is None or at <= contact.asked_at:
        return contact, None
    answer = CustomerAnswer(at, contact.asked_by, contact.opened_at)
    return replace(contact, asked_at=None, asked_by=None, opened_at=None), answer
