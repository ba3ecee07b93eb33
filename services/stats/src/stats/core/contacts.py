"""Contact: what a profile and one recipient have said to each other, as far as the counts need it.

Outcomes and customers' messages come by different topics: an answer may be read before the message that it answers.
The steps give the same counts either way.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

SPOKEN_FOR = timedelta(days=30)
"""So long after the profile's last open message, a recipient is no new contact."""
WARM_FOR = timedelta(days=28)
"""So long after the recipient's last message: WhatsApp's own trust ends then."""


@dataclass(frozen=True, slots=True)
class Contact:
    spoke_at: datetime | None = None
    """The profile's last open message."""
    wrote_first_at: datetime | None = None
    wrote_at: datetime | None = None
    """The recipient's first and last message."""
    asked_at: datetime | None = None
    """The first open message since the recipient's last one; None: nothing waits for an answer."""
    asked_by: str | None = None
    """Its message."""
    opened_at: datetime | None = None
    """When it became a new contact that has not answered; None: it is none."""
    receives: bool = False
    """Something was delivered to it."""

    def is_new(self, at: datetime) -> bool:
        """Whether an open message at this moment opens it."""
        spoken = self.spoke_at is not None and self.spoke_at >= at - SPOKEN_FOR
        wrote = self.wrote_at if self.wrote_at is not None and self.wrote_at < at else self.wrote_first_at
        warm = wrote is not None and at - WARM_FOR <= wrote < at
        return not spoken and not warm


@dataclass(frozen=True, slots=True)
class Answer:
    """The recipient wrote after open messages of the profile."""

    at: datetime
    message_id: str | None
    """The first of them."""
    opened_at: datetime | None
    """When they made it a new contact, which is answered now."""


def spoken(contact: Contact, at: datetime, message_id: str) -> tuple[Contact, Answer | None]:
    """After an open message; with the answer to it, where that was read already."""
    opened_at = at if contact.is_new(at) else contact.opened_at
    asked_at, asked_by = contact.asked_at, contact.asked_by
    if asked_at is None:
        asked_at, asked_by = at, message_id
    spoke_at = at if contact.spoke_at is None else max(contact.spoke_at, at)
    asked = replace(contact, spoke_at=spoke_at, asked_at=asked_at, asked_by=asked_by, opened_at=opened_at)
    later = [each for each in (contact.wrote_first_at, contact.wrote_at) if each is not None and each > at]
    return _answered(asked, min(later)) if later else (asked, None)


def written(contact: Contact, at: datetime) -> tuple[Contact, Answer | None]:
    """After a message of the recipient; with what it answers."""
    first = at if contact.wrote_first_at is None else min(contact.wrote_first_at, at)
    last = at if contact.wrote_at is None else max(contact.wrote_at, at)
    return _answered(replace(contact, wrote_first_at=first, wrote_at=last), at)


def _answered(contact: Contact, at: datetime) -> tuple[Contact, Answer | None]:
    if contact.asked_at is None or at <= contact.asked_at:
        return contact, None
    answer = Answer(at, contact.asked_by, contact.opened_at)
    return replace(contact, asked_at=None, asked_by=None, opened_at=None), answer
