"""Check advice: the result of a connection check in an operator's words, and what to do about it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from console.core.phones.gateway_kinds import KINDS, gateway_name

Tone = Literal["good", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class Advice:
    """`todo` is empty if nothing is to be done. `detail`: what the gateway itself said."""

    tone: Tone
    title: str
    todo: str
    detail: str


_LINK = "Press “Link this phone”, and scan the QR code or enter the pairing code in WhatsApp."
_META = "Open the number in Meta's WhatsApp Manager. Meta says there what is missing."
_BY_SESSION: Mapping[str, tuple[Tone, str, str, str]] = {
    "unlinked": ("bad", "The gateway works, but WhatsApp is not linked.", _LINK, _META),
    "stopped": ("bad", "The session is stopped.", "Press “Link this phone”: this starts the session again.", _META),
    "starting": (
        "warn",
        "The session is starting.",
        "Wait half a minute, and check again.",
        "Check again in a minute.",
    ),
}
"""For each state of a session: the tone, what is the matter, and what to do, for a linked device and for others."""
_BY_DETAIL: tuple[tuple[str, str, str], ...] = (
    (
        r"SPREADER_SECRET_KEYS|decrypt",
        "Spreader cannot read the stored credentials.",
        "Ask whoever runs Spreader to set SPREADER_SECRET_KEYS as before. Or enter the credentials again below.",
    ),
    (r"credentials lack|has no credentials", "Credentials are missing.", "Enter all credentials again below."),
    (
        r"not accept the key|access token|\b401\b|\(190\b|token",
        "The gateway rejected the API key or token.",
        "Copy the present one from the gateway, and enter it below under Gateway.",
    ),
    (
        r"no such session|no such instance|\b404\b",
        "The gateway does not know this account.",
        "Correct its name below. Or press “Link this phone”: this creates the session.",
    ),
    (
        r"did not answer the last calls|after the request was written",
        "The gateway does not answer.",
        "Look whether it is running and not overloaded. Then check again.",
    ),
    (
        r"cannot be reached|valid URL|was not made|nothing came",
        "The gateway cannot be reached.",
        "Look whether it is running, and whether the address below is right. A firewall may also be in the way.",
    ),
    (
        r"has one session only",
        "This WAHA has only one session, named default.",
        "Enter “default” as the session below.",
    ),
)


def advice(driver: str, check: Mapping[str, Any]) -> Advice:
    """`check`: the result of the API's connection check."""
    detail = str(check.get("detail") or "")
    session = str(check.get("session") or "")
    is_device = (kind := KINDS.get(driver)) is not None and kind.link == "device"
    if check.get("ok"):
        return Advice("good", f"Connected. {gateway_name(driver)} answers, and the phone can send.", "", detail)
    if session in _BY_SESSION:
        tone, title, device, other = _BY_SESSION[session]
        return Advice(tone, title, device if is_device else other, detail)
    for pattern, title, todo in _BY_DETAIL:
        if re.search(pattern, detail, re.IGNORECASE):
            return Advice("bad", title, todo if is_device else todo.split(" Or press")[0], detail)
    if session == "failed":
        todo = f"WhatsApp may have blocked the number. {_LINK}" if is_device else _META
        return Advice("bad", "The session has failed.", todo, detail)
    return Advice("warn", "The check gave no clear result.", "Check again in a minute.", detail)


def not_asked(reason: str) -> Advice:
    """The check of a phone that Spreader could not ask about."""
    return Advice("warn", "The connection was not checked.", "Check again in a minute.", reason)
