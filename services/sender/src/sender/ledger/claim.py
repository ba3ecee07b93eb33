"""Claim: the right to send one delivery, for as long as its lease lasts."""

import time
from dataclasses import dataclass

from sender.core.delivery import Delivery
from spreader.contract.events import ConsentKind

Key = tuple[str, int]
"""A delivery's id and the number of a claim of it."""


@dataclass(frozen=True, slots=True)
class Claim:
    delivery: Delivery
    number: int
    """Claims of a delivery are numbered: a result counts only under the newest."""
    tries: int
    """Claims since the delivery came to this profile, this one included."""
    in_doubt: bool
    """An earlier claim ended without an answer: the gateway may have got it."""
    lease_until: float
    """By `time.monotonic()`; taken before the database was asked, so it is never too late."""
    host: str = ""
    """Of the gateway, as it was when the delivery was asked for."""
    resent: bool = False
    """It was sent in doubt, and that may have arrived as well."""
    heard: str | None = None
    """The gateway has reported it, under this id (empty: without one)."""
    listed: frozenset[ConsentKind] = frozenset()
    """The lists of consent that an open delivery's recipient was on when it was claimed."""

    @property
    def key(self) -> Key:
        return self.delivery.delivery_id, self.number

    def lasts(self, seconds: float) -> bool:
        return time.monotonic() + seconds < self.lease_until
