"""Failure: why a message that a gateway had taken was not sent after all, by the gateway's own code.

Such news comes by webhook and is the delivery's end: nothing is sent again. The class tells what it means for the
profile (see `FailureClass`); the codes are those that a send is answered with (`spreader.contract.failure_codes`).
"""

from dataclasses import dataclass

from spreader.contract.events import FailureClass
from spreader.contract.failure_codes import CLOUD_API, LINKED, FailureMeaning
from spreader.text.redaction import redact

NO_CODE = "ERROR"
_UNKNOWN = FailureMeaning("transient", "Meta has a code for it that we do not know")
_REFUSED = FailureMeaning("transient", "WhatsApp refused it")


@dataclass(frozen=True, slots=True)
class Failure:
    kind: FailureClass
    code: str
    reason: str


def of_cloud_api(code: int | None, said: str | None) -> Failure:
    """`said`: the gateway's own words."""
    if code is None:
        return Failure("transient", NO_CODE, _reason("the gateway gave no code", said))
    meaning = CLOUD_API.get(code, _UNKNOWN)
    return Failure(meaning.failure, str(code), _reason(meaning.says, said))


def of_linked(code: str | None, said: str | None = None) -> Failure:
    """Without a code nobody knows why: it may be the same restriction, and its pattern tells (see stats)."""
    if code is None:
        return Failure("transient", NO_CODE, _reason("WhatsApp refused it, and the gateway does not say why", said))
    meaning = LINKED.get(code, _REFUSED)
    return Failure(meaning.failure, code, _reason(meaning.says, said))


def _reason(words: str, said: str | None) -> str:
    """Ours, and the gateway's."""
    return f"{words} ({redact(said)})" if said else words
