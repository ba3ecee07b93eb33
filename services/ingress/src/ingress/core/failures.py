"""Failure: the reason why a gateway did not send a message that it had accepted, translated from the gateway's code.

The gateway reports such a failure by webhook. The failure is final, so the delivery is not sent again. The failure
class says what the failure means for the profile. A gateway's code means the same in a webhook as in the response to a
send call (`spreader.contract.failure_codes`).
"""

from dataclasses import dataclass

from spreader.contract.events import FailureClass
from spreader.contract.failure_codes import CLOUD_API, LINKED, FailureMeaning
from spreader.text.clean_text import CleanText, SafeText, clean, clean_id
from spreader.text.redaction import redact

NO_CODE = "ERROR"
_UNKNOWN = FailureMeaning("transient", "Meta has a code for it that we do not know")
_REFUSED = FailureMeaning("transient", "WhatsApp refused it")


@dataclass(frozen=True, slots=True)
class ReportedFailure:
    kind: FailureClass
    code: SafeText
    reason: SafeText


def cloud_api_failure(code: int | None, details: str | None) -> ReportedFailure:
    """The failure that Meta reports. `code` is Meta's error code, or None if Meta gave none. `details` is Meta's own
    text, which is redacted."""
    if code is None:
        return ReportedFailure("transient", NO_CODE, _reason("the gateway gave no code", details))
    meaning = CLOUD_API.get(code, _UNKNOWN)
    return ReportedFailure(meaning.failure, clean_id(str(code)), _reason(meaning.says, details))


def linked_device_failure(code: str | None, details: str | None = None) -> ReportedFailure:
    """The failure that a linked device reports with WhatsApp's error code. `code` is None if the gateway reports no
    code.

    If WhatsApp restricts the profile, its failures may have no code. The stats service finds such a restriction because
    it counts failures.
    """
    if code is None:
        reason = _reason("WhatsApp refused it, and the gateway does not say why", details)
        return ReportedFailure("transient", NO_CODE, reason)
    meaning = LINKED.get(code, _REFUSED)
    return ReportedFailure(meaning.failure, clean_id(code), _reason(meaning.says, details))


def _reason(reason: str, details: str | None) -> CleanText:
    return clean(f"{reason} ({redact(details)})" if details else reason)
