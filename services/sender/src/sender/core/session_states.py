"""Session state: how a profile is connected at its gateway, translated from each gateway's own words."""

from collections.abc import Mapping
from dataclasses import dataclass

from spreader.contract.events import Quality, Quota, Restriction, SessionState
from spreader.text.clean_text import SafeText, clean

WAHA: Mapping[str, SessionState] = {
    "WORKING": "working",
    "STARTING": "starting",
    "STOPPED": "stopped",
    "SCAN_QR_CODE": "unlinked",
    "PASSKEY_REQUIRED": "unlinked",
    "PASSKEY_CONFIRMATION_REQUIRED": "unlinked",
    "FAILED": "failed",
}
"""The states by the `status` that WAHA reports of a session."""
EVOLUTION: Mapping[str, SessionState] = {
    "open": "working",
    "connecting": "starting",
    "close": "stopped",
    "refused": "unlinked",
}
"""The states by the `state` that Evolution API reports of an instance."""
ENDED: Mapping[int, SessionState] = {401: "unlinked", 402: "failed", 403: "failed", 406: "failed"}
"""The states by the code with which WhatsApp ended a connection for good: logged out, banned for a while, locked, and
banned. Evolution API shows the state `close` for all of them."""
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
"""The states by the `status` that Meta reports of a phone number. A missing or unlisted status counts as working,
because Meta has answered for the number."""
QUALITY: Mapping[str, Quality] = {"GREEN": "green", "YELLOW": "yellow", "RED": "red"}


@dataclass(frozen=True, slots=True)
class ProfileCheck:
    """The result of asking a gateway about a profile. `ok`: whether the profile can send."""

    ok: bool
    detail: SafeText
    session: SessionState | None = None
    quality: Quality | None = None
    code: SafeText | None = None
    restriction: Restriction | None = None
    quota: Quota | None = None
    reached: bool = True
    """Whether the gateway answered. If not, the check says nothing about the profile."""


def session_check(session: SessionState | None, gateway_word: str, quality: Quality | None = None) -> ProfileCheck:
    """`gateway_word`: the gateway's own name of the state. `session`: our name of that state; None if we have none."""
    if session is None:
        detail = f"the gateway reports the session state {gateway_word!r}, which this version does not know"
        return ProfileCheck(False, clean(detail))
    if session == "working":
        return ProfileCheck(True, "the session is working", session, quality)
    return ProfileCheck(False, clean(f"the session is {session} ({gateway_word})"), session, quality)
