"""Failure table: what each gateway's own words mean, and where a code asks for another course than its class.

One table a gateway; the first row that fits counts. Rows are data: what is done about a class stands in `RULES`.
`ambiguous` rows say nothing about whether the customer got the message.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from sender.core.answer import InDoubt, Refused
from sender.core.course import Courses, Failure, Then, after, at_once
from sender.core.words import fit_to_keep


@dataclass(frozen=True, slots=True)
class Row:
    """`says`: for the operator who reads it."""

    failure: Failure | Literal["ambiguous"]
    says: str
    courses: Courses | None = None

    def answer(self, code: str | None, said: object, retry_after: timedelta | None = None) -> Refused | InDoubt:
        """`said`: the gateway's own words."""
        words = fit_to_keep(said)
        detail = f"{self.says} ({code}: {words})" if code else f"{self.says} ({words})" if words else self.says
        if self.failure == "ambiguous":
            return InDoubt(detail, can_ask=False)
        return Refused(self.failure, detail, retry_after, code, courses=self.courses)


def _seconds(least: float, most: float, tries_max: int) -> Courses:
    return after(timedelta(seconds=least), timedelta(seconds=most), tries_max)


_PERMISSION = Row("credentials", "the access token lacks a permission for this number")
_STUMBLED = Row("transient", "Meta's service stumbled")
_PAYMENT = Row("credentials", "Meta asks for a valid way of payment")
_MISFIT = Row("template", "the template and what it was filled with do not fit")
_NOBODY = Row("recipient", "this number cannot be written to")
_INVALID = Row("content", "Meta does not accept the form of the message")
_NOT_READY = Row("profile", "the number is not ready to send: see it in Meta's business manager")

CLOUD_API: Mapping[int, Row] = {
    **dict.fromkeys((0, 190), Row("credentials", "the access token is not valid, or not any more")),
    **dict.fromkeys((3, 10, *range(200, 300), 131005), _PERMISSION),
    **dict.fromkeys((1, 2, 131000, 131016, 135000), _STUMBLED),
    4: Row("throttled", "too many calls for the app"),
    80007: Row("throttled", "too many calls for the WhatsApp business account"),
    130429: Row("throttled", "too many messages a second for this number", _seconds(1, 5, 8)),
    131057: Row("throttled", "Meta is upgrading this number", _seconds(60, 120, 8)),
    131048: Row("restricted", "too many people blocked or reported this number: WhatsApp lets it open no chats"),
    131064: Row("restricted", "a template was in the wrong category: WhatsApp lets this number open no chats"),
    131056: Row("pair", "too many messages from this number to this recipient"),
    131049: Row("capped", "WhatsApp gives this recipient no more marketing for now"),
    130472: Row("capped", "this recipient gets no marketing, as part of an experiment of Meta's", at_once(Then.FAIL)),
    131050: Row("opted_out", "the recipient told WhatsApp to stop marketing messages"),
    131047: Row("window", "the recipient wrote over 24 hours ago: only a template may be sent"),
    **dict.fromkeys((131026, 131021, 131030, 131062, 137000), _NOBODY),
    131031: Row("account", "the account is locked"),
    368: Row("account", "the account is blocked for breaking a policy"),
    # Nothing is wrong with the number elsewhere, so no lane is closed for it.
    130497: Row("transient", "this account may not write to the recipient's country", at_once(Then.ELSEWHERE)),
    **dict.fromkeys((131042, 131044), _PAYMENT),
    **dict.fromkeys((131045, 133010, 131037, 33), _NOT_READY),
    **dict.fromkeys((131051, 131008, 131009, 100), _INVALID),
    # It is uploaded anew for the second try.
    131053: Row("content", "Meta could not read the file", _seconds(2, 2, 2)),
    **dict.fromkeys((132000, 132001, 132005, 132007, 132008, 132012), _MISFIT),
    132015: Row("template", "the template is paused, because people did not like it"),
    132016: Row("template", "the template is disabled"),
    132068: Row("template", "the template's flow is blocked"),
    132069: Row("throttled", "the template's flow is slowed down", _seconds(3600, 3600, 3)),
    131063: Row("template", "marketing messages are turned off for this account"),
}
"""By `error.code`; Meta's HTTP status says little."""

CLOUD_API_OTHERS: Mapping[range, Row] = {
    range(401, 402): CLOUD_API[190],
    range(429, 430): Row("throttled", "Meta asks for patience"),
    range(400, 600): Row("transient", "Meta refused it with a code that this version does not know"),
}
"""By HTTP status, for an error of Meta's own making whose code is in no row."""


@dataclass(frozen=True, slots=True)
class Sign:
    """A row of a gateway that has no codes: it is known by the HTTP status, and by what the answer says."""

    statuses: range
    words: re.Pattern[str]
    row: Row
    code: str | None = None

    def fits(self, status: int, said: str) -> bool:
        return status in self.statuses and self.words.search(said) is not None


def _sign(statuses: int | range, words: str, row: Row, code: str | None = None) -> Sign:
    span = range(statuses, statuses + 1) if isinstance(statuses, int) else statuses
    return Sign(span, re.compile(words, re.IGNORECASE), row, code)


_ANY = range(400, 600)
_KEY = Row("credentials", "the gateway does not accept the key")
_SESSION = Row("session", "the profile's session is not ready at its gateway")
_NO_CHATS = Row("restricted", "WhatsApp lets this profile open no chats")
_STALE = Row("transient", "the session's keys were stale", _seconds(2, 2, 2))
_ABSENT = Row("recipient", "the number is not on WhatsApp")
_UNABLE = Row("content", "this gateway cannot send it")
_TOO_FAST = Row("throttled", "the gateway asks for patience")
_NO_WORD = Row("ambiguous", "the gateway stumbled, perhaps after sending")
_LINKED = (  # what WhatsApp's server says to a linked device, where a gateway passes it on in its answer
    _sign(_ANY, r"\b463\b|reach.?out.?time.?lock|restricted", _NO_CHATS, "463"),
    _sign(_ANY, r"\b479\b|smax_invalid", _STALE, "479"),
    _sign(_ANY, r"rate-overlimit", _TOO_FAST, "429"),
)

WAHA: tuple[Sign, ...] = (
    _sign(range(401, 402), "", _KEY, "401"),
    _sign(range(403, 404), "", _KEY, "403"),
    _sign(404, "", Row("profile", "the gateway has no such session"), "404"),
    _sign(429, "", _TOO_FAST, "429"),
    *_LINKED,
    _sign(422, r"not implemented", _UNABLE, "422"),
    _sign(422, r"session status|\"?status\"?: ?\"?(STOPPED|STARTING|SCAN_QR_CODE|PASSKEY\w*|FAILED)", _SESSION, "422"),
    _sign(_ANY, r"numberexists\W+false|not (registered )?on whatsapp|no lid for user", _ABSENT),
    _sign(range(400, 500), "", _UNABLE),
    _sign(_ANY, "", _NO_WORD),
)

EVOLUTION: tuple[Sign, ...] = (
    _sign(401, "", _KEY, "401"),
    _sign(403, "", _KEY, "403"),
    _sign(404, "", Row("profile", "the gateway has no such instance"), "404"),
    _sign(429, "", _TOO_FAST, "429"),
    # From here on the HTTP status is 400 whatever went wrong: only the words tell.
    *_LINKED,
    _sign(_ANY, r"exists\W+false|not on whatsapp", _ABSENT),
    _sign(_ANY, r"connection closed|connection lost|not connected|session closed", _SESSION, "closed"),
    _sign(400, r"owned media|requires property|is not of a type|must be|invalid mimetype|unsupported", _UNABLE),
    _sign(_ANY, "", _NO_WORD),  # a time-out among them
)


def cloud_api(status: int, code: int | None, said: object, retry_after: timedelta | None) -> Refused | InDoubt:
    """`code` None: the answer is none of Meta's, so something before it may have spoken for it."""
    if code is not None:
        known = CLOUD_API.get(code) or next(row for span, row in CLOUD_API_OTHERS.items() if status in span)
        return known.answer(str(code), said, retry_after)
    if status == 429:  # whoever asks for patience has not passed it on
        return _TOO_FAST.answer("429", said, retry_after)
    return _NO_WORD.answer(str(status), said)


def by_sign(signs: tuple[Sign, ...], status: int, said: str, retry_after: timedelta | None) -> Refused | InDoubt:
    """`said`: the body of the answer, as text."""
    sign = next((each for each in signs if each.fits(status, said)), None)
    if sign is None:
        return _NO_WORD.answer(str(status), said)
    return sign.row.answer(sign.code or str(status), said, retry_after)
