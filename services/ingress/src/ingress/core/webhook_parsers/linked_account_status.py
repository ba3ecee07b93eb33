"""Linked account status: WhatsApp's reports to a linked device about lost connections, bans, locks and the quota.

The codes of a closed connection and of a ban are those of Baileys and whatsmeow, the WhatsApp clients inside the
gateways.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from ingress.core.reports import AccountStatusReport
from ingress.core.untrusted_json import UntrustedJson
from spreader.contract.events import Quota, Restriction, SessionState
from spreader.text.clean_text import clean, clean_id

BAN_CODES: Mapping[int, str] = {
    101: "too many messages to people who do not have the number in their address book",
    102: "too many people blocked it",
    103: "too many groups with people who do not have the number in their address book",
    104: "the same message to too many people",
    106: "too many messages to a broadcast list",
}
_BOTH_LANES: tuple[Literal["open", "reply"], ...] = ("open", "reply")
_BAN_MAX = timedelta(days=365)
_NANOSECONDS_FROM = 100_000_000
"""A ban length of this number or more is in nanoseconds, because as seconds it would be over 3 years."""
_WARNINGS: Mapping[str, Literal["none", "first", "second", "capped"]] = {
    "NONE": "none", "FIRST_WARNING": "first", "SECOND_WARNING": "second", "CAPPED": "capped",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class LinkedStatus:
    """The part of an account status that comes from WhatsApp. It is the same for every gateway."""

    evidence: str
    code: str | None = None
    session: SessionState | None = None
    restriction: Restriction | None = None
    quota: Quota | None = None

    def reported_by(self, gateway: str, report_id: str, at: datetime) -> AccountStatusReport:
        return AccountStatusReport(
            clean_id(report_id),
            clean(f"{gateway}: {self.evidence}"),
            at,
            session=self.session,
            restriction=self.restriction,
            quota=self.quota,
            code=None if self.code is None else clean_id(self.code),
        )


def connection_ended(code: int | None, data: UntrustedJson, at: datetime) -> LinkedStatus:
    """The status after WhatsApp closed the connection with this code. `data`: the details that came with the code."""
    shown_code = None if code is None else str(code)
    match code:
        case 401:
            evidence = "the profile is unlinked: logged out or banned; somebody must scan the code"
            return LinkedStatus(evidence, shown_code, "unlinked")
        case 402:
            return temporary_ban(data["code"].integer, data["expire"].integer, at)
        case 403 | 406:
            evidence = f"the account is {'locked' if code == 403 else 'banned'}"
            return LinkedStatus(evidence, shown_code, restriction=Restriction(lanes=_BOTH_LANES, failure="account"))
        case 405 | 409:
            return LinkedStatus("the gateway's client is out of date or refused", shown_code, "failed")
        case _:
            return LinkedStatus("the connection was lost; the gateway connects again", shown_code, "starting")


def temporary_ban(code: int | None, expire: int | None, at: datetime) -> LinkedStatus:
    """The status during a temporary ban. The end of a ban is at most `_BAN_MAX` after `at`.

    `expire`: the length of the ban, in seconds from Baileys and in nanoseconds from whatsmeow. None if WhatsApp gave no
    length.
    """
    until = None
    if expire is not None and expire > 0:
        seconds = expire / 1_000_000_000 if expire >= _NANOSECONDS_FROM else expire
        until = at + min(timedelta(seconds=seconds), _BAN_MAX)
    reason = BAN_CODES.get(code or 0, "WhatsApp does not say why")
    restriction = Restriction(lanes=_BOTH_LANES, failure="account", until=until)
    return LinkedStatus(f"the account is banned for a while: {reason}", str(code or 402), restriction=restriction)


def time_lock(lock: UntrustedJson) -> LinkedStatus:
    """The status while WhatsApp does not let the profile open chats, or after this restriction has ended.

    `lock` has the member names of Baileys or of whatsmeow. A violation of the commerce policy stops replies too.
    """
    kind = _either(lock, "enforcementType", "enforcement_type").text
    active = _either(lock, "isActive", "is_active").boolean
    ends = _either(lock, "timeEnforcementEnds", "time_enforcement_ends")
    if not active:
        restriction = Restriction(lanes=(), failure="restricted")
        return LinkedStatus("the profile may open chats again", kind, restriction=restriction)
    if (kind or "").startswith("BIZ_COMMERCE"):
        evidence = f"WhatsApp stops the profile for a violation of its commerce policy ({kind})"
        restriction = Restriction(lanes=_BOTH_LANES, failure="account", until=ends.timestamp)
        return LinkedStatus(evidence, kind, restriction=restriction)
    evidence = f"WhatsApp lets the profile open no chats ({kind or 'no reason given'})"
    restriction = Restriction(lanes=("open",), failure="restricted", until=ends.timestamp)
    return LinkedStatus(evidence, kind, restriction=restriction)


def new_chat_quota(counter: UntrustedJson) -> LinkedStatus | None:
    """WhatsApp's own count of the profile's new chats. None if the report contains no numbers. The result is also None
    if the total is negative, because WhatsApp then sets no quota."""
    total = _either(counter, "total_quota", "totalQuota").integer
    used = _either(counter, "used_quota", "usedQuota").integer
    if total is None or used is None or total < 0:
        return None
    status = _either(counter, "capping_status", "cappingStatus").text or "NONE"
    resets_at = _either(counter, "cycle_end_timestamp", "cycleEnd").timestamp
    quota = Quota(total=total, used=used, resets_at=resets_at, warning=_WARNINGS.get(status, "none"))
    return LinkedStatus(f"WhatsApp has counted {used} of {total} new chats ({status})", status, quota=quota)


def _either(values: UntrustedJson, name: str, other_name: str) -> UntrustedJson:
    """The member that has one name in Baileys and another name in whatsmeow."""
    return values[name] if name in values else values[other_name]
