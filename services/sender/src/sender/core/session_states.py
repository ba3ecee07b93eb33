"""Session: how a profile stands at its gateway, in our words for each of the gateways' own."""

from collections.abc import Mapping
from dataclasses import dataclass

from spreader.contract.events import Quality, SessionState

WAHA: Mapping[str, SessionState] = {
    "WORKING": "working",
    "STARTING": "starting",
    "STOPPED": "stopped",
    "SCAN_QR_CODE": "unlinked",
    "PASSKEY_REQUIRED": "unlinked",
    "PASSKEY_CONFIRMATION_REQUIRED": "unlinked",
    "FAILED": "failed",
}
EVOLUTION: Mapping[str, SessionState] = {
    "open": "working",
    "connecting": "starting",
    "close": "stopped",
    "refused": "unlinked",
}
CLOUD_API: Mapping[str, SessionState] = {
    "CONNECTED": "working",
    "FLAGGED": "working",
    "RESTRICTED": "working",
    "RATE_LIMITED": "working",
    "PENDING": "starting",
    "UNVERIFIED": "starting",
    "DISCONNECTED": "stopped",
    "MIGRATED": "stopped",
    "DELETED": "failed",
    "BANNED": "failed",
}
"""By a number's `status`; one that is not said, or not here, answers and therefore works."""
QUALITY: Mapping[str, Quality] = {"GREEN": "green", "YELLOW": "yellow", "RED": "red"}


@dataclass(frozen=True, slots=True)
class Checked:
    """What a gateway said when it was asked about a profile; `ok`: the profile can send."""

    ok: bool
    detail: str
    session: SessionState | None = None
    quality: Quality | None = None
    code: str | None = None
    reached: bool = True
    """Whether the gateway answered at all: silence says nothing about the profile."""


def standing_at(session: SessionState | None, said: str, quality: Quality | None = None) -> Checked:
    """`said`: the gateway's own word for the session."""
    if session is None:
        return Checked(False, f"the gateway calls the session {said!r}, which this version does not know")
    ok = session == "working"
    return Checked(ok, f"the session is {session}" if ok else f"the session is {session} ({said})", session, quality)
