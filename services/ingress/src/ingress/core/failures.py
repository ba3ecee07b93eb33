"""Failure: why a message that a gateway had accepted was not sent after all, by the gateway's own code.

Such a failure is reported by webhook and is final: the delivery is not sent again. The class says what it means for the
profile (see `FailureClass`). The codes are the same that a send call returns (`spreader.contract.failure_codes`).
"""

from dataclasses import dataclass

from spreader.contract.events import FailureClass
from spreader.contract.failure_codes import CLOUD_API, LINKED, FailureMeaning
from spreader.text.redaction import redact

NO_CODE = "ERROR"
_UNKNOWN = FailureMeaning("transient", "Meta has a code for it that we do not know")
_REFUSED = FailureMeaning("transient", "WhatsApp refused it")


@dataclass(frozen=True, slots=True)
class ReportedFailure:
    kind: FailureClass
    code: str
    reason: str


def cloud_api_failure(code: int | None, details: str | None) -> ReportedFailure:
    """`details`: the gateway's own text."""
    if code is None:
        return ReportedFailure("transient", NO_CODE, _reason("the gateway gave no code", details))
    meaning = CLOUD_API.get(code, _UNKNOWN)
    return ReportedFailure(meaning.failure, str(code), _reason(meaning.says, details))


def linked_device_failure(code: str | None, details: str | None = None) -> ReportedFailure:
    """A failure without a code may still be caused by a restriction: stats recognises that from the counts."""
    if code is None:
        reason = _reason("WhatsApp refused it, and the gateway does not say why", details)
        return ReportedFailure("transient", NO_CODE, reason)
    meaning = LINKED.get(code, _REFUSED)
    return ReportedFailure(meaning.failure, code, _reason(meaning.says, details))


def _reason(reason: str, details: str | None) -> str:
    return f"{reason} ({redact(details)})" if details else reason
