"""Driver: how the sender talks to one kind of gateway. Each driver is a module of its own that implements this
protocol.

A send has two steps. `prepare` gets everything ready and sends nothing. `send` makes the one call that sends. A driver
returns expected failures as values and does not raise them. Its results contain no plain `str`. A text that comes from
the gateway must be cleaned (`spreader.text.clean_text`), or the type check fails.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sender.core.delivery import Delivery
from sender.core.gateway_answer import GatewayAnswer, LookupResult, SendRefused
from sender.core.session_states import ProfileCheck
from spreader.contract.configuration import Profile
from spreader.contract.content import Media
from spreader.media.store import MediaFile
from spreader.text.clean_text import SafeText


@dataclass(frozen=True, slots=True)
class PreparedSend:
    """A request that is ready to be sent. The driver adds the bytes of `file` to the body just before the call."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: Mapping[str, Any]
    file: MediaFile | None = None
    upload: str | None = None
    """The id of the uploaded file that the body refers to; None if the gateway stores no files."""

    def __repr__(self) -> str:
        return f"PreparedSend({self.url})"  # the headers contain a key, and the body the customer's message


@dataclass(frozen=True, slots=True)
class NumberCheck:
    """Whether a number is on WhatsApp; `exists` is None if the gateway does not say."""

    exists: bool | None
    detail: SafeText
    address: SafeText | None = None
    """The digits under which WhatsApp knows the number, if it exists and the gateway reports them."""
    refused: SendRefused | None = None
    """The gateway's error, if `exists` is None because of an error."""


class MediaSource(Protocol):
    """Where drivers get the files of messages (`spreader.media.store.MediaCache`)."""

    async def file(self, media: Media, kind: str) -> MediaFile:
        """Raises `MediaRefused` (the file can never be sent) or `MediaUnavailable` (try again later)."""
        ...


class Driver(Protocol):
    async def prepare(self, delivery: Delivery, profile: Profile) -> PreparedSend | SendRefused:
        """Builds the request. It fetches and uploads files, so it may take long. It may be repeated."""
        ...

    async def send(self, prepared: PreparedSend, delivery: Delivery, profile: Profile) -> GatewayAnswer:
        """Makes the one call that sends, and never repeats it."""
        ...

    async def find(self, delivery: Delivery, profile: Profile) -> LookupResult:
        """Asks the gateway whether it has sent this delivery."""
        ...

    async def check(self, profile: Profile) -> ProfileCheck:
        """Asks the gateway whether the profile can send."""
        ...

    async def check_number(self, profile: Profile, number: str) -> NumberCheck:
        """Asks WhatsApp about the number, through the profile. The caller limits the rate
        (`sender.gateways.number_check`)."""
        ...


class Registrar(Protocol):
    async def register(self, package_id: str, profile: Profile) -> None:
        """Registers the profile and its webhook address at the gateway. Raises an exception if that fails."""
        ...


Drivers = Mapping[str, Driver]
"""The drivers by their names in `gateway.driver` of a profile."""
Registrars = Mapping[str, Registrar]
"""The registrars by their names in `gateway.driver` of a profile."""
