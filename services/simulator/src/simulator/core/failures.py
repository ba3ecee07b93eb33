"""Failure: one way in which a gateway says no, by the code that it has in the gateway's own words.

The tables hold every row of our table of failures that a send can meet. A code that the gateway itself spells is
written as it is (`131048`, `463`); those that it only words are named (`closed`). The endpoints know the wording.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Driver = Literal["simulator", "cloud_api", "waha", "evolution"]
Told = Literal["answer", "receipt"]
"""A failure is the answer to the send, or a receipt of a send that was taken."""


@dataclass(frozen=True, slots=True)
class Failure:
    """`status` is the HTTP status of the answer; `told` says how a gateway usually tells it."""

    status: int
    title: str
    told: Told = "answer"
    only_answered: bool = False
    """The transport fails, not the message: no receipt can say so."""


def _away(status: int, title: str) -> Failure:
    return Failure(status, title, only_answered=True)


OWN: Mapping[str, Failure] = {
    "transient": Failure(500, "The gateway stumbled."),
    "throttled": Failure(429, "Too fast."),
    "profile_blocked": Failure(403, "The profile is blocked."),
    "recipient_invalid": Failure(404, "Nobody has this number."),
    "content_refused": Failure(400, "The content is refused."),
}
"""Also the codes that every gateway knows in its own words: see `IN_OTHER_WORDS`."""

CLOUD_API: Mapping[str, Failure] = {
    "0": Failure(401, "AuthException"),
    "190": Failure(401, "Access token has expired"),
    "3": Failure(500, "API Method"),
    "10": Failure(403, "Permission Denied"),
    "200": Failure(403, "API Permission"),
    "299": Failure(403, "API Permission"),
    "131005": Failure(403, "Access denied"),
    "1": Failure(400, "API Unknown"),
    "2": Failure(503, "API Service"),
    "131000": Failure(500, "Something went wrong"),
    "131016": Failure(500, "Service unavailable"),
    "135000": Failure(400, "Generic user error"),
    "4": Failure(400, "API Too Many Calls"),
    "80007": Failure(400, "Rate limit issues"),
    "130429": Failure(400, "Rate limit hit"),
    "131057": Failure(500, "Account in maintenance mode"),
    "131048": Failure(400, "Spam rate limit hit"),
    "131056": Failure(400, "(Business Account, Consumer Account) pair rate limit hit"),
    "131049": Failure(400, "Meta chose not to deliver", "receipt"),
    "130472": Failure(400, "User's number is part of an experiment"),
    "131050": Failure(400, "User has stopped marketing messages", "receipt"),
    "131047": Failure(400, "Re-engagement message"),
    "131026": Failure(400, "Message undeliverable", "receipt"),
    "131021": Failure(400, "Recipient cannot be sender"),
    "131030": Failure(400, "Recipient phone number not in allowed list"),
    "131062": Failure(400, "Business-scoped user id not supported"),
    "137000": Failure(400, "Identity key does not match"),
    "131031": Failure(403, "Account has been locked"),
    "368": Failure(403, "Temporarily blocked for policies violations"),
    "130497": Failure(403, "Business account is restricted from messaging users in this country"),
    "131064": Failure(400, "Messaging limit reached: template misclassified", "receipt"),
    "131042": Failure(400, "Business eligibility payment issue"),
    "131044": Failure(400, "Business eligibility payment issue"),
    "131045": Failure(500, "Incorrect certificate"),
    "133010": Failure(400, "Phone number not registered"),
    "131037": Failure(400, "Display name not approved"),
    "33": Failure(400, "Parameter value is not valid: the business phone number has been deleted"),
    "131051": Failure(400, "Unsupported message type"),
    "131008": Failure(400, "Required parameter is missing"),
    "131009": Failure(400, "Parameter value is not valid"),
    "100": Failure(400, "Invalid parameter"),
    "131053": Failure(400, "Media upload error"),
    "132000": Failure(400, "Template param count mismatch"),
    "132001": Failure(404, "Template does not exist"),
    "132005": Failure(400, "Template hydrated text too long"),
    "132007": Failure(400, "Template format character policy violated"),
    "132008": Failure(400, "Template parameter format mismatch"),
    "132012": Failure(400, "Template parameter format mismatch"),
    "132015": Failure(400, "Template is paused"),
    "132016": Failure(400, "Template is disabled"),
    "132068": Failure(400, "Flow is blocked"),
    "132069": Failure(400, "Flow is throttled"),
    "131063": Failure(400, "Marketing messages are turned off"),
    "429": _away(429, "Too Many Requests"),
    "500": _away(500, "Internal Server Error"),
    "502": _away(502, "Bad Gateway"),
    "503": _away(503, "Service Unavailable"),
    "504": _away(504, "Gateway Timeout"),
}

_LINKED: Mapping[str, Failure] = {
    "463": Failure(500, "Your account has been restricted", "receipt"),
    "479": Failure(500, "SMAX_INVALID", "receipt"),
    "error": Failure(500, "The message was not sent", "receipt"),
    "stuck": Failure(500, "Timed Out", "receipt"),
}
"""What WhatsApp's server says to a linked device, after its gateway has taken the message. `stuck`: nothing, ever."""

WAHA: Mapping[str, Failure] = {
    **_LINKED,
    "no_whatsapp": Failure(500, "The number is not on WhatsApp", "receipt"),
    "401": _away(401, "Unauthorized"),
    "403": _away(403, "Forbidden"),
    "404": _away(404, "Session does not exist"),
    "422": _away(422, "Session status is not as expected. Try again later or restart the session"),
    "not_implemented": _away(422, "The method is not implemented by the engine"),
    "429": _away(429, "Too Many Requests"),
    "500": _away(500, "Evaluation failed"),
    "502": _away(502, "Bad Gateway"),
    "503": _away(503, "Service Unavailable"),
    "504": _away(504, "Gateway Timeout"),
}

EVOLUTION: Mapping[str, Failure] = {
    **{code: Failure(400, failure.title, failure.told) for code, failure in _LINKED.items()},
    "no_whatsapp": Failure(400, "The number is not on WhatsApp"),
    "closed": _away(400, "Error: Connection Closed"),
    "timed_out": _away(400, "Error: Timed Out"),
    "media": _away(400, "Owned media must be a url or base64"),
    "401": _away(401, "Unauthorized"),
    "403": _away(403, "Forbidden"),
    "404": _away(404, "The instance does not exist"),
    "429": _away(429, "Too Many Requests"),
    "500": _away(500, "Internal Server Error"),
    "502": _away(502, "Bad Gateway"),
    "503": _away(503, "Service Unavailable"),
    "504": _away(504, "Gateway Timeout"),
}

FAILURES: Mapping[Driver, Mapping[str, Failure]] = {
    "simulator": OWN,
    "cloud_api": CLOUD_API,
    "waha": WAHA,
    "evolution": EVOLUTION,
}

IN_OTHER_WORDS: Mapping[Driver, Mapping[str, str]] = {
    "simulator": {},
    "cloud_api": {
        "transient": "131016",
        "throttled": "130429",
        "profile_blocked": "131031",
        "recipient_invalid": "131026",
        "content_refused": "131009",
    },
    "waha": {
        "transient": "422",
        "throttled": "429",
        "profile_blocked": "463",
        "recipient_invalid": "no_whatsapp",
        "content_refused": "not_implemented",
    },
    "evolution": {
        "transient": "closed",
        "throttled": "429",
        "profile_blocked": "463",
        "recipient_invalid": "no_whatsapp",
        "content_refused": "media",
    },
}


def in_words_of(driver: Driver, code: str) -> str | None:
    """The driver's own code for one of ours or of its own; None where it has none."""
    own = IN_OTHER_WORDS[driver].get(code, code)
    return own if own in FAILURES[driver] else None
