"""Linked limits: WhatsApp's own lock and quota of an account, as WAHA shows them beside the session (`me`).

Webhooks report the same (the ingress reads them). Asking finds what a lost webhook did not say. A lock that has ended
is not concluded from this answer, because WAHA may show it from before the last refusal.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from spreader.contract.events import Quota, Restriction

_TIME = TypeAdapter(datetime)
_WARNINGS: Mapping[str, Literal["none", "first", "second", "capped"]] = {
    "FIRST_WARNING": "first", "SECOND_WARNING": "second", "CAPPED": "capped",
}  # fmt: skip


def active_lock(lock: Any) -> Restriction | None:
    """The restriction while WhatsApp forbids the account to open chats. None if it does not, or does not say so."""
    if not isinstance(lock, dict) or _either(lock, "isActive", "is_active") is not True:
        return None
    kind, ends = (
        str(_either(lock, "enforcementType", "enforcement_type") or ""),
        _time(_either(lock, "timeEnforcementEnds", "time_enforcement_ends")),
    )
    if kind.startswith("BIZ_COMMERCE"):
        return Restriction(lanes=("open", "reply"), failure="account", until=ends)
    return Restriction(lanes=("open",), failure="restricted", until=ends)


def new_chat_quota(counter: Any) -> Quota | None:
    """WhatsApp's count of new chats. None if there is none, or if WhatsApp sets no quota (a total of -1)."""
    if not isinstance(counter, dict):
        return None
    total, used = (_either(counter, f"{name}_quota", f"{name}Quota") for name in ("total", "used"))
    if not _is_count(total) or not _is_count(used):
        return None
    warning = str(_either(counter, "capping_status", "cappingStatus"))
    resets_at = _time(_either(counter, "cycle_end_timestamp", "cycleEnd"))
    return Quota(total=total, used=used, resets_at=resets_at, warning=_WARNINGS.get(warning, "none"))


def _either(values: Mapping[str, Any], name: str, other_name: str) -> Any:
    return values[name] if name in values else values.get(other_name)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def _time(value: Any) -> datetime | None:
    """A time in seconds or as a text. None if it is neither."""
    try:
        time = _TIME.validate_python(value)
    except (ValidationError, OverflowError):
        return None
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)
