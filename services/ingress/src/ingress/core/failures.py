"""Failure: why a message that a gateway had taken was not sent after all, by the gateway's own code.

Such news comes by webhook and is the delivery's end: nothing is sent again. The class tells what it means for the
profile (see `spreader.events.FailureClass`), as the sender's table does for what is refused at once; the words are for
the person who looks for the reason.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from spreader.events import FailureClass

GATEWAY_WORDS_MAX = 300
_DIGITS = re.compile(r"\d{7,}")

CLOUD_API: Mapping[int, tuple[FailureClass, str]] = {
    0: ("credentials", "the access token is not valid"),
    1: ("transient", "the gateway stumbled"),
    2: ("transient", "the gateway is away for a moment"),
    3: ("credentials", "the app lacks a permission"),
    4: ("throttled", "the app called too often"),
    10: ("credentials", "the app lacks a permission"),
    33: ("profile", "the number was deleted at Meta"),
    100: ("content", "a parameter is wrong"),
    190: ("credentials", "the access token has expired"),
    368: ("account", "the account is blocked for a while for breaking a policy"),
    80007: ("throttled", "the business account sends too fast"),
    130429: ("throttled", "the number sends too fast"),
    130472: ("capped", "the recipient is part of an experiment of Meta's and gets no marketing"),
    130497: ("transient", "this account may not write to the recipient's country"),
    131000: ("transient", "something went wrong at Meta"),
    131005: ("credentials", "the permission was taken away"),
    131008: ("content", "a parameter is missing"),
    131009: ("content", "a parameter has a wrong value"),
    131016: ("transient", "the service is overloaded"),
    131021: ("recipient", "sender and recipient are the same number"),
    131026: ("recipient", "it cannot be delivered: not on WhatsApp, an old app, or the profile is blocked"),
    131030: ("recipient", "the number is not on the list of test recipients"),
    131031: ("account", "the account is locked"),
    131037: ("profile", "the number's name is not approved"),
    131042: ("credentials", "Meta asks for a valid way of payment"),
    131044: ("credentials", "Meta asks for a valid way of payment"),
    131045: ("profile", "the number's certificate is wrong: it is not registered"),
    131047: ("window", "the customer wrote more than 24 hours ago: only a template may be sent"),
    131048: ("restricted", "too many of the profile's messages were blocked or reported as spam"),
    131049: ("capped", "the recipient gets no more marketing for now, from nobody"),
    131050: ("opted_out", "the recipient has stopped the business's marketing"),
    131051: ("content", "WhatsApp does not know this type of message"),
    131053: ("content", "the file could not be uploaded"),
    131056: ("pair", "too many messages from this profile to this recipient"),
    131057: ("throttled", "Meta is upgrading the number"),
    131062: ("recipient", "the recipient cannot be reached by this kind of id"),
    131063: ("template", "marketing templates are switched off for the account"),
    131064: ("restricted", "the limit of new chats is reached, because templates were given a wrong category"),
    132000: ("template", "the number of the template's parameters is wrong"),
    132001: ("template", "there is no such template in this language"),
    132005: ("template", "the template's text with its parameters is too long"),
    132007: ("template", "the template breaks a policy"),
    132008: ("template", "a parameter of the template has a wrong format"),
    132012: ("template", "a parameter of the template has a wrong format"),
    132015: ("template", "the template is paused for its quality"),
    132016: ("template", "the template is disabled for its quality"),
    132068: ("template", "the template's flow is blocked"),
    132069: ("throttled", "the template's flow is slowed down"),
    133010: ("profile", "the number is not registered"),
    135000: ("transient", "something went wrong at Meta"),
    137000: ("recipient", "the recipient's identity has changed"),
}  # fmt: skip

LINKED: Mapping[str, tuple[FailureClass, str]] = {
    "463": ("restricted", "WhatsApp lets the profile open no chats for now"),
    "479": ("transient", "the session's keys were stale"),
    "SMAX_INVALID": ("transient", "the session's keys were stale"),
}
"""Codes of gateways that are linked devices (WAHA, Evolution API)."""

NO_CODE = "ERROR"


@dataclass(frozen=True, slots=True)
class Failure:
    kind: FailureClass
    code: str
    reason: str


def of_cloud_api(code: int | None, said: str | None) -> Failure:
    """`said`: the gateway's own words."""
    if code is None:
        return Failure("transient", NO_CODE, _reason("the gateway gave no code", said))
    kind, words = CLOUD_API.get(code) or _of_range(code)
    return Failure(kind, str(code), _reason(words, said))


def of_linked(code: str | None, said: str | None = None) -> Failure:
    """Without a code nobody knows why: it may be the same restriction, and its pattern tells (see stats)."""
    if code is None:
        return Failure("transient", NO_CODE, _reason("WhatsApp refused it, and the gateway does not say why", said))
    kind, words = LINKED.get(code, ("transient", "WhatsApp refused it"))
    return Failure(kind, code, _reason(words, said))


def _of_range(code: int) -> tuple[FailureClass, str]:
    if 200 <= code < 300:
        return "credentials", "the app lacks a permission"
    if 132000 <= code < 133000:
        return "template", "the template cannot be sent"
    return "transient", "Meta has a code for it that we do not know"


def _reason(words: str, said: str | None) -> str:
    """Ours, and the gateway's without what may be a phone number."""
    if not said:
        return words
    return f"{words} ({_DIGITS.sub('…', said)[:GATEWAY_WORDS_MAX]})"
