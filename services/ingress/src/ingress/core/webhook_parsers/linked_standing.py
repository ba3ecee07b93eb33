"""Linked standing: what WhatsApp tells a linked device of itself: why a connection ended, time-locks, its quota."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from ingress.core.tree import Tree
from spreader.contract.events import Quota, Restriction, SessionState

BAN_CODES: Mapping[int, str] = {
    101: "too many messages to people who do not have the number in their address book",
    102: "too many people blocked it",
    103: "too many groups with people who do not have the number in their address book",
    104: "the same message to too many people",
    106: "too many messages to a broadcast list",
}
_EVERYTHING: tuple[Literal["open", "reply"], ...] = ("open", "reply")
_BAN_MAX = timedelta(days=365)
_NANOSECONDS_FROM = 100_000_000
_WARNINGS: Mapping[str, Literal["none", "first", "second", "capped"]] = {
    "NONE": "none", "FIRST_WARNING": "first", "SECOND_WARNING": "second", "CAPPED": "capped",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Told:
    """The part of a standing that WhatsApp decides."""

    words: str
    code: str | None = None
    session: SessionState | None = None
    restriction: Restriction | None = None
    quota: Quota | None = None


def ended(code: int | None, data: Tree, at: datetime) -> Told:
    """A connection ended with this status. `data`: what WhatsApp said beside it."""
    named = None if code is None else str(code)
    match code:
        case 401:
            return Told("the profile is unlinked: logged out or banned; somebody must scan the code", named, "unlinked")
        case 402:
            return banned(data["code"].whole, data["expire"].whole, at)
        case 403 | 406:
            words = f"the account is {'locked' if code == 403 else 'banned'}"
            return Told(words, named, restriction=Restriction(lanes=_EVERYTHING, failure="account"))
        case 405 | 409:
            return Told("the gateway's client is out of date or refused", named, "failed")
        case _:
            return Told("the connection was lost; the gateway connects again", named, "starting")


def banned(code: int | None, expire: int | None, at: datetime) -> Told:
    """For a while. `expire`: seconds, or nanoseconds as Go writes a duration."""
    until = None
    if expire is not None and expire > 0:
        seconds = expire / 1_000_000_000 if expire >= _NANOSECONDS_FROM else expire
        until = at + min(timedelta(seconds=seconds), _BAN_MAX)
    why = BAN_CODES.get(code or 0, "WhatsApp does not say why")
    restriction = Restriction(lanes=_EVERYTHING, failure="account", until=until)
    return Told(f"the account is banned for a while: {why}", str(code or 402), restriction=restriction)


def time_lock(lock: Tree) -> Told:
    """WhatsApp lets the profile open no chats, or lets it again. In the words of Baileys or of whatsmeow."""
    kind = lock["enforcementType"].text or lock["enforcement_type"].text
    active = lock["isActive"].flag if "isActive" in lock else lock["is_active"].flag
    ends = lock["timeEnforcementEnds"] if "timeEnforcementEnds" in lock else lock["time_enforcement_ends"]
    if not active:
        return Told("the profile may open chats again", kind, restriction=Restriction(lanes=(), failure="restricted"))
    if (kind or "").startswith("BIZ_COMMERCE"):
        restriction = Restriction(lanes=_EVERYTHING, failure="account", until=ends.moment)
        return Told(f"WhatsApp stops the profile for a violation of its commerce policy ({kind})", kind,
                    restriction=restriction)  # fmt: skip
    restriction = Restriction(lanes=("open",), failure="restricted", until=ends.moment)
    return Told(f"WhatsApp lets the profile open no chats ({kind or 'no reason given'})", kind, restriction=restriction)


def capping(counter: Tree) -> Told | None:
    """WhatsApp's own count of new chats; None: it holds no numbers."""
    total, used = counter["total_quota"].whole, counter["used_quota"].whole
    if total is None or used is None:
        return None
    status = counter["capping_status"].text or "NONE"
    resets_at = counter["cycle_end_timestamp"].moment
    quota = Quota(total=total, used=used, resets_at=resets_at, warning=_WARNINGS.get(status, "none"))
    return Told(f"WhatsApp has counted {used} of {total} new chats ({status})", status, quota=quota)
