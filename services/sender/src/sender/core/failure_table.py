"""Failure table: what each gateway's answer to a send means, and where a code asks for another course than its class.

The meaning of Meta's codes is in `spreader.contract.failure_codes`; here are retry policies and gateways' texts.

One table a gateway; the first row that fits counts. Rows are data: what is done about a class stands in `RULES`.
`ambiguous` rows say nothing about whether the customer got the message.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from sender.core.gateway_answer import InDoubt, Refused
from sender.core.retry_policy import Courses, Failure, Then, after, at_once
from spreader.contract import failure_codes as meanings
from spreader.contract.failure_codes import FailureMeaning
from spreader.text.redaction import redact


@dataclass(frozen=True, slots=True)
class Row:
    """`says`: for the operator who reads it."""

    failure: Failure | Literal["ambiguous"]
    says: str
    courses: Courses | None = None

    def answer(self, code: str | None, said: object, retry_after: timedelta | None = None) -> Refused | InDoubt:
        """`said`: the gateway's own words."""
        words = redact(said)
        detail = f"{self.says} ({code}: {words})" if code else f"{self.says} ({words})" if words else self.says
        if self.failure == "ambiguous":
            return InDoubt(detail, can_ask=False)
        return Refused(self.failure, detail, retry_after, code, courses=self.courses)


def _row(meaning: FailureMeaning, courses: Courses | None = None) -> Row:
    assert meaning.failure != "ambiguous", "a code says what is wrong"
    return Row(meaning.failure, meaning.says, courses)


def _seconds(least: float, most: float, tries_max: int) -> Courses:
    return after(timedelta(seconds=least), timedelta(seconds=most), tries_max)


COURSES: Mapping[int, Courses] = {
    130429: _seconds(1, 5, 8),
    131057: _seconds(60, 120, 8),
    130472: at_once(Then.FAIL),
    130497: at_once(Then.ELSEWHERE),
    131053: _seconds(2, 2, 2),  # it is uploaded anew for the second try
    132069: _seconds(3600, 3600, 3),
}
"""Codes of the Cloud API that ask for another course than their class."""
CLOUD_API: Mapping[int, Row] = {code: _row(each, COURSES.get(code)) for code, each in meanings.CLOUD_API.items()}

CLOUD_API_OTHERS: Mapping[range, Row] = {
    range(401, 402): CLOUD_API[190],
    range(429, 430): Row("throttled", "Meta asks for patience"),
    range(500, 600): Row("ambiguous", "Meta stumbled, perhaps after sending; this version does not know the code"),
    range(400, 500): Row("transient", "Meta refused it with a code that this version does not know"),
}
"""By HTTP status, for an error of Meta's own making whose code is in no row."""
CLOUD_API_STUMBLED = Row("ambiguous", "Meta's service stumbled, perhaps after sending")
"""For the codes of `VAGUE` with a status of 500 or more: Meta calls them unknown errors and a service that is away, and
promises nowhere that the message did not go out."""
VAGUE = frozenset({1, 2, 131000, 131016, 135000})


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
_NO_CHATS = _row(meanings.NO_CHATS)
_STALE = _row(meanings.STALE, _seconds(2, 2, 2))
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
    if code in VAGUE and status >= 500:
        return CLOUD_API_STUMBLED.answer(str(code), said)
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
