"""Linker: how an account is linked at one kind of gateway, and how a gateway's webhook is set.

A linking takes minutes, because a person must scan a QR image or enter a code on the phone. So each call does one step
and says what the gateway shows now. A QR image and a code are secrets: they are returned, and never logged.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sender.core.gateway_answer import SendRefused
from sender.gateways.http_client import CallOutcome, HttpResponse, NoResponse, NotReached
from sender.gateways.linked_device import LinkedDevice, error_text
from spreader.contract.configuration import Profile
from spreader.contract.events import SessionState
from spreader.contract.link_answers import LinkMethod
from spreader.text.clean_text import CleanText, SafeText, clean
from spreader.text.redaction import redact

LINK_CALL_SECONDS = 30.0
"""The time-out of a call that creates or starts a session. Evolution API answers after 5 to 10 seconds."""
PASSING = ("session", "gateway", "throttled", "transient")
"""The failure classes that say nothing about the next call."""
_DATA_URI = "base64,"


@dataclass(frozen=True, slots=True)
class LinkProgress:
    """What the gateway says of a session. `refused`: it will not link it."""

    session: SessionState | None
    detail: SafeText
    refused: bool = False
    qr_png: str | None = field(default=None, repr=False)
    code: str | None = field(default=None, repr=False)


class Linker(Protocol):
    """All methods raise `Undecryptable` if the profile has no readable credentials."""

    async def begin(self, profile: Profile, method: LinkMethod, webhook_url: str | None) -> LinkProgress:
        """Creates and starts the session, as far as needed. A new session gets `webhook_url`."""
        ...

    async def progress(self, profile: Profile, method: LinkMethod | None, has_code: bool) -> LinkProgress:
        """What the gateway shows now.

        `method`: what the person waits for; None if no linking is under way. `has_code`: the person has a code, so no
        other is requested.
        """
        ...

    async def log_out(self, profile: Profile) -> LinkProgress: ...


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    ok: bool
    detail: SafeText


@dataclass(frozen=True, slots=True)
class WebhookResult:
    """`call_due`: whether the gateway must call the webhook now. If not, `no_call` says why."""

    steps: Sequence[Step]
    call_due: bool = False
    no_call: SafeText = "the webhook is not set"

    @property
    def is_set(self) -> bool:
        return any(step.name == "set" and step.ok for step in self.steps)


class WebhookSetter(Protocol):
    async def set_webhook(self, profile: Profile, url: str, restart: bool, waba_id: str | None) -> WebhookResult:
        """Sets the gateway's webhook. `restart`: whether the session may be restarted for it. `waba_id`: the WhatsApp
        Business Account at Meta; None: Meta is asked. Raises `Undecryptable`."""
        ...


Linkers = Mapping[str, Linker]
WebhookSetters = Mapping[str, WebhookSetter]


def failed_step(name: str, outcome: CallOutcome) -> Step:
    return Step(name, False, explained(outcome))


def explained(outcome: CallOutcome) -> CleanText:
    """The gateway's own words for a call that did not succeed."""
    match outcome:
        case NotReached(detail) | NoResponse(detail):
            return clean(detail)
        case HttpResponse(status, body):
            words = redact(error_text(body))
            return clean(f"the gateway answered with status {status}" + (f": {words}" if words else ""))


def refusal(device: LinkedDevice, outcome: CallOutcome) -> LinkProgress:
    """What a call that did not succeed says of the linking. A passing trouble of the gateway ends no linking."""
    answer = device.error_answer(outcome)
    passes = isinstance(answer, SendRefused) and answer.failure in PASSING
    is_final = isinstance(outcome, HttpResponse) and 400 <= outcome.status < 500 and not passes
    return LinkProgress("failed" if is_final else None, explained(outcome), is_final)


def is_success(outcome: CallOutcome) -> bool:
    return isinstance(outcome, HttpResponse) and 200 <= outcome.status < 300


def base64_image(text: object) -> str | None:
    """The base64 text of an image, without the beginning of a data URI. None if it is not base64."""
    data = str(text or "").rpartition(_DATA_URI)[2]
    try:
        return data if base64.b64decode(data, validate=True) else None
    except (binascii.Error, ValueError):
        return None
