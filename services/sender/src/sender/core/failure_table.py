"""Failure table: what each gateway's error answer to a send means, and which codes have a retry policy of their own.

There is one table for each gateway, and the first rule that matches decides. The meaning of Meta's codes is defined in
`spreader.contract.failure_codes`, and the retry policy of each failure class in `sender.core.retry_policy.POLICIES`.
The class `ambiguous` means that the customer may have received the message.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from sender.core.gateway_answer import SendInDoubt, SendRefused
from sender.core.retry_policy import AfterRetries, LanePolicies, RefusalClass, in_both_lanes, no_retry
from spreader.contract import failure_codes as meanings
from spreader.contract.failure_codes import FailureMeaning
from spreader.text.clean_text import clean, clean_id
from spreader.text.redaction import redact


@dataclass(frozen=True, slots=True)
class FailureRule:
    """The meaning of an error answer. Operators read its `explanation`."""

    failure: RefusalClass | Literal["ambiguous"]
    explanation: str
    policies: LanePolicies | None = None

    def answer(
        self, code: str | None, gateway_text: object, retry_after: timedelta | None = None
    ) -> SendRefused | SendInDoubt:
        """`code` and `gateway_text` come from the gateway. The operator sees both after the explanation."""
        redacted = redact(gateway_text)
        detail = self.explanation
        if code:
            detail = f"{self.explanation} ({code}: {redacted})"
        elif redacted:
            detail = f"{self.explanation} ({redacted})"
        if self.failure == "ambiguous":
            return SendInDoubt(clean(detail), can_ask=False)
        shown_code = None if code is None else clean_id(code)
        return SendRefused(self.failure, clean(detail), retry_after, shown_code, policies=self.policies)


def _rule(meaning: FailureMeaning, policies: LanePolicies | None = None) -> FailureRule:
    assert meaning.failure != "ambiguous", "a gateway code names a definite failure class"
    return FailureRule(meaning.failure, meaning.says, policies)


def _wait(first_seconds: float, longest_seconds: float, tries_max: int) -> LanePolicies:
    return in_both_lanes(timedelta(seconds=first_seconds), timedelta(seconds=longest_seconds), tries_max)


CODE_POLICIES: Mapping[int, LanePolicies] = {
    130429: _wait(1, 5, 8),
    **dict.fromkeys((131057, 2494100), _wait(60, 120, 8)),
    130472: no_retry(AfterRetries.FAIL),
    130497: no_retry(AfterRetries.OTHER_PROFILE),
    131053: _wait(2, 2, 2),  # the file is uploaded again before the second try
    132069: _wait(3600, 3600, 3),
}
"""Cloud API codes whose retry policy differs from that of their failure class."""
CLOUD_API: Mapping[int, FailureRule] = {
    code: _rule(meaning, CODE_POLICIES.get(code)) for code, meaning in meanings.CLOUD_API.items()
}
CLOUD_API_BY_STATUS: Mapping[range, FailureRule] = {
    range(401, 402): CLOUD_API[190],
    range(429, 430): FailureRule("throttled", "Meta asks for patience"),
    range(500, 600): FailureRule(
        "ambiguous", "Meta's server failed with a code that this version does not know; it may have sent the message"
    ),
    range(400, 500): FailureRule("transient", "Meta refused the message with a code that this version does not know"),
}
"""Rules by HTTP status, for errors in Meta's form whose code has no rule. The first range that contains the status
counts."""
CLOUD_API_SERVER_ERROR = FailureRule("ambiguous", "Meta's server failed; it may have sent the message")
"""The rule for `VAGUE_CODES` with a status of 500 or more. Meta documents these codes as unknown errors and unavailable
services, so the message may have been sent."""
VAGUE_CODES = frozenset({1, 2, 131000, 131016, 135000})


@dataclass(frozen=True, slots=True)
class ErrorPattern:
    """A rule for a gateway without error codes. It applies if the HTTP status and the text of the answer match."""

    statuses: range
    text: re.Pattern[str]
    rule: FailureRule
    code: str | None = None
    """The code to report. None: the HTTP status is reported."""

    def matches(self, status: int, gateway_text: str) -> bool:
        return status in self.statuses and self.text.search(gateway_text) is not None


def _pattern(statuses: int | range, text: str, rule: FailureRule, code: str | None = None) -> ErrorPattern:
    """`text`: a regular expression that ignores case. An empty one matches every text."""
    span = range(statuses, statuses + 1) if isinstance(statuses, int) else statuses
    return ErrorPattern(span, re.compile(text, re.IGNORECASE), rule, code)


_ANY = range(400, 600)
_KEY = FailureRule("credentials", "the gateway does not accept the key")
_NO_LICENCE = FailureRule("credentials", "the gateway is not activated: it needs a licence")
_SESSION = FailureRule("session", "the profile's session is not ready at its gateway")
_NO_CHATS = _rule(meanings.NO_CHATS)
_STALE = _rule(meanings.STALE, _wait(2, 2, 2))
_ABSENT = FailureRule("recipient", "the number is not on WhatsApp")
_UNABLE = FailureRule("content", "this gateway cannot send this content")
_TOO_FAST = FailureRule("throttled", "the gateway asks for patience")
_UNCLEAR = FailureRule("ambiguous", "the gateway failed; it may have sent the message")
_BEFORE_SEND = FailureRule("transient", "the gateway failed before it sent the message")
_REFUSED_BY_WHATSAPP = FailureRule("transient", "WhatsApp's server refused the message")
_TOO_LARGE = FailureRule("content", "the file is too large for this gateway")
_LINKED = (  # error codes of WhatsApp's server for linked devices, if the gateway's answer contains them
    _pattern(_ANY, r"\b463\b|reach.?out.?time.?lock|restricted", _NO_CHATS, "463"),
    _pattern(_ANY, r"\b479\b|smax_invalid", _STALE, "479"),
    _pattern(_ANY, r"rate-overlimit|server returned error 429", _TOO_FAST, "429"),
)
_LARGE = _pattern(range(413, 414), "", _TOO_LARGE), _pattern(_ANY, r"entity too large", _TOO_LARGE)
"""WAHA of 2024 answers 500 to a body over 50 MB. Other versions of WAHA and Evolution API answer 413."""

_WAHA_ENGINES = (
    _pattern(_ANY, r"timed out waiting for message send response", _UNCLEAR),
    _pattern(_ANY, r"connection closed", _SESSION, "closed"),  # Baileys
    # whatsmeow. Error 400 comes to every send until the session is started again.
    _pattern(_ANY, r"websocket (is )?not connected|store doesn.t contain a device jid", _SESSION, "closed"),
    _pattern(_ANY, r"server returned error 400\b", _SESSION, "400"),
    _pattern(_ANY, r"server returned error \d+", _REFUSED_BY_WHATSAPP),
    _pattern(_ANY, r"failed to get device list|info query timed out", _BEFORE_SEND),
    _pattern(_ANY, r"no connection established", FailureRule("gateway", "the gateway's engine cannot be reached")),
)
"""Errors of the WhatsApp clients inside WAHA. All but the first of them come before the message is sent, or are
WhatsApp's refusal of the message."""

WAHA: tuple[ErrorPattern, ...] = (
    _pattern(range(401, 402), "", _KEY, "401"),
    _pattern(range(403, 404), "", _KEY, "403"),
    # WAHA gives this answer while a session is stopped, for example while WAHA starts it again.
    _pattern(404, r"start it first", _SESSION, "404"),
    _pattern(404, "", FailureRule("profile", "the gateway has no such session"), "404"),
    _pattern(429, "", _TOO_FAST, "429"),
    *_LINKED,
    *_LARGE,
    _pattern(422, r"not implemented", _UNABLE, "422"),
    _pattern(422, r"support only .default. session", FailureRule("profile", "this WAHA has one session only"), "422"),
    _pattern(
        422, r"session status|\"?status\"?: ?\"?(STOPPED|STARTING|SCAN_QR_CODE|PASSKEY\w*|FAILED)", _SESSION, "422"
    ),
    _pattern(
        _ANY,
        r"numberexists\W+false|not (registered )?on whatsapp|no lid for user|no lid found for .* from server",
        _ABSENT,
    ),
    *_WAHA_ENGINES,
    _pattern(range(400, 500), "", _UNABLE),
    _pattern(_ANY, "", _UNCLEAR),
)

EVOLUTION: tuple[ErrorPattern, ...] = (
    _pattern(401, "", _KEY, "401"),
    _pattern(403, "", _KEY, "403"),
    _pattern(404, "", FailureRule("profile", "the gateway has no such instance"), "404"),
    _pattern(429, "", _TOO_FAST, "429"),
    _pattern(503, r"not activated", _NO_LICENCE, "503"),  # since 2.4, before it reads the request
    # All other errors have HTTP status 400 or 500, so mostly their texts distinguish them.
    *_LINKED,
    *_LARGE,
    _pattern(_ANY, r"exists\W+false|not on whatsapp", _ABSENT),
    _pattern(_ANY, r"connection closed|connection lost|not connected|session closed|no sessions", _SESSION, "closed"),
    _pattern(_ANY, r"reading '(textMessage|onWhatsApp|waUploadToServer)'", _SESSION, "not loaded"),
    _pattern(_ANY, r"media upload failed on all hosts", _BEFORE_SEND),
    _pattern(range(400, 401), r"owned media|requires property|is not of a type|must be|invalid mimetype", _UNABLE),
    _pattern(_ANY, r"unsupported", _UNABLE),
    # Only errors of the send itself have status 400, for example a time-out. Evolution API sets 500 before the send.
    _pattern(500, r"^(?!internal server error$).", _BEFORE_SEND),
    _pattern(_ANY, "", _UNCLEAR),
)


def cloud_api_answer(
    status: int, code: int | None, gateway_text: object, retry_after: timedelta | None, subcode: int | None = None
) -> SendRefused | SendInDoubt:
    """`code` is None when the answer is not in Meta's form. A proxy before Meta may have written such an answer."""
    if (code, subcode) == meanings.UNKNOWN_OBJECT:
        return CLOUD_API[33].answer(f"{code}/{subcode}", gateway_text)
    if code in VAGUE_CODES and status >= 500:
        return CLOUD_API_SERVER_ERROR.answer(str(code), gateway_text)
    if code is not None:
        by_status = (rule for span, rule in CLOUD_API_BY_STATUS.items() if status in span)
        rule = CLOUD_API.get(code) or next(by_status, _UNCLEAR)  # the status means success, but the body has an error
        return rule.answer(str(code), gateway_text, retry_after)
    if status == 429:  # a proxy that limits the rate has not passed the request on
        return _TOO_FAST.answer("429", gateway_text, retry_after)
    return _UNCLEAR.answer(str(status), gateway_text)


def answer_by_pattern(
    patterns: tuple[ErrorPattern, ...], status: int, gateway_text: str, retry_after: timedelta | None
) -> SendRefused | SendInDoubt:
    """The answer by the first pattern that matches. If none matches, the send is in doubt."""
    pattern = next((pattern for pattern in patterns if pattern.matches(status, gateway_text)), None)
    if pattern is None:
        return _UNCLEAR.answer(str(status), gateway_text)
    return pattern.rule.answer(pattern.code or str(status), gateway_text, retry_after)
