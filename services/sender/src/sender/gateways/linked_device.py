"""Linked device: the common part of the WAHA and Evolution drivers, whose gateways run WhatsApp Web sessions.

Files travel inside the request as base64. To save memory, the file is encoded just before the call, and only a few
calls with a file run at a time. A file of 100 MB needs another 200 MB of memory while it is sent.
"""

import asyncio
import base64
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from sender.core import failure_table
from sender.core.delivery import Delivery
from sender.core.failure_table import ErrorPattern
from sender.core.gateway_answer import GatewayAnswer, SendInDoubt, SendRefused
from sender.core.session_states import ProfileCheck
from sender.gateways.credentials import Keyring
from sender.gateways.driver import MediaSource, NumberCheck, PreparedSend
from sender.gateways.http_client import CallOutcome, GatewayCall, GatewayClient, HttpResponse, NoResponse, NotReached
from spreader.contract.configuration import Profile
from spreader.contract.content import Content, TemplateContent, TextContent
from spreader.media.safe_fetch import MediaRefused, MediaUnavailable
from spreader.media.store import MediaFile
from spreader.text.clean_text import CleanText, clean
from spreader.vault import Credentials, Undecryptable

FILES_AT_A_TIME = 8
THREAD_FROM_BYTES = 256 * 1024
"""A file of this size or more is encoded in a thread. Otherwise its encoding would block the event loop, and so all
other calls."""
BODY_BYTES_SPARE = 1024
"""Room in a request for the names and quotation marks around the file."""
NO_TEMPLATES = "templates can be sent through the Cloud API only: this profile's gateway is a linked device"

Body = dict[str, Any]


class LinkedDevice:
    """The calls of one kind of gateway. `key_header`: the header with the API key. `patterns`: the failure table of
    this kind. `body_bytes_max`: the largest request that it reads."""

    def __init__(
        self,
        client: GatewayClient,
        keyring: Keyring,
        media: MediaSource,
        file_seconds: float,
        key_header: str,
        patterns: tuple[ErrorPattern, ...],
        body_bytes_max: int,
    ) -> None:
        self._client = client
        self._keyring = keyring
        self._media = media
        self._file_seconds = file_seconds
        self._key_header = key_header
        self._patterns = patterns
        self._body_bytes_max = body_bytes_max
        self._file_slots = asyncio.Semaphore(FILES_AT_A_TIME)

    async def prepare(
        self, delivery: Delivery, profile: Profile, request: Callable[[MediaFile | None], tuple[str, Body]]
    ) -> PreparedSend | SendRefused:
        """`request` returns the path and the body, without the bytes of the file."""
        content = delivery.content
        if isinstance(content, TemplateContent):
            return SendRefused("content", NO_TEMPLATES)
        try:
            headers = self.headers(profile)
            file = None
            if not isinstance(content, TextContent):
                file = await self._media.file(content.media, content.type)
        except Undecryptable as error:
            return SendRefused("credentials", clean(str(error)))
        except MediaRefused as error:
            return SendRefused("content", clean(str(error)))
        except MediaUnavailable as error:
            return SendRefused("transient", clean(str(error)))
        path, body = request(file)
        if file is not None and (reason := self._objection(body, file)) is not None:
            return SendRefused("content", clean(reason))
        return PreparedSend(f"{base_url(profile)}{path}", headers, body, file)

    def _objection(self, body: Body, file: MediaFile) -> str | None:
        """Why the gateway would refuse the request because of its size. None: it is small enough."""
        encoded = (file.size_bytes + 2) // 3 * 4
        room = self._body_bytes_max - len(json.dumps(body)) - BODY_BYTES_SPARE
        if encoded <= room:
            return None
        return f"the file has {file.size_bytes} bytes, and its gateway takes at most {room // 4 * 3}"

    async def post(self, prepared: PreparedSend, with_file: Callable[[Body, str], Body]) -> CallOutcome:
        """`with_file` puts the base64 text of the file into the body, and returns the new body."""
        if prepared.file is None:
            return await self._client.call(GatewayCall("POST", prepared.url, prepared.headers, json=prepared.body))
        file = prepared.file
        async with self._file_slots:
            if len(file.data) < THREAD_FROM_BYTES:
                raw = _encoded(prepared.body, file, with_file)
            else:
                raw = await asyncio.to_thread(_encoded, prepared.body, file, with_file)
            headers = {**prepared.headers, "Content-Type": "application/json"}
            call = GatewayCall("POST", prepared.url, headers, data=raw, seconds=self._file_seconds)
            return await self._client.call(call)

    async def get(self, profile: Profile, path: str) -> CallOutcome:
        """Raises `Undecryptable`."""
        return await self.call(profile, "GET", path)

    async def query(self, profile: Profile, path: str, body: Body) -> CallOutcome:
        """A POST that changes nothing; raises `Undecryptable`."""
        return await self.call(profile, "POST", path, body)

    async def call(
        self,
        profile: Profile,
        method: str,
        path: str,
        body: Body | None = None,
        seconds: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> CallOutcome:
        """Any call that sends no message; raises `Undecryptable`."""
        all_headers = {**self.headers(profile), **(headers or {})}
        url = f"{base_url(profile)}{path}"
        return await self._client.call(GatewayCall(method, url, all_headers, json=body, seconds=seconds))

    def credentials(self, profile: Profile) -> Credentials:
        """Raises `Undecryptable`."""
        return self._keyring.of(profile)

    def headers(self, profile: Profile) -> Mapping[str, str]:
        """Raises `Undecryptable`."""
        return {self._key_header: self.credentials(profile)["api_key"]}

    def error_answer(self, outcome: CallOutcome) -> GatewayAnswer:
        """The answer to a send whose outcome is not a success."""
        match outcome:
            case NotReached(detail, retry_after):
                return SendRefused("gateway", detail, retry_after)
            case NoResponse(detail):
                return SendInDoubt(detail, can_ask=False)
            case HttpResponse(status, body, _, retry_after):
                return failure_table.answer_by_pattern(self._patterns, status, error_text(body), retry_after)

    def failed_check(self, outcome: CallOutcome) -> ProfileCheck:
        """The check of a profile when `outcome` does not contain its session state."""
        answer = self.error_answer(outcome)
        if not isinstance(answer, SendRefused):
            reason = answer.reason if isinstance(answer, SendInDoubt) else "the gateway's answer has an unknown form"
            return ProfileCheck(False, reason, reached=False)
        unusable = answer.failure in ("credentials", "profile")
        return ProfileCheck(False, answer.detail, "failed" if unusable else None, code=answer.code, reached=unusable)

    def failed_number_check(self, outcome: CallOutcome) -> NumberCheck:
        """The check of a number when `outcome` does not say whether it exists."""
        answer = self.error_answer(outcome)
        refused = answer if isinstance(answer, SendRefused) else None
        return NumberCheck(None, self.failed_check(outcome).detail, refused=refused)


def base_url(profile: Profile) -> str:
    return profile.gateway.base_url.rstrip("/")


def session_name(profile: Profile) -> str:
    """The session (WAHA) or instance (Evolution), quoted as a part of a path."""
    return quote(profile.gateway.account, safe="")


def given_name(content: Content, file: MediaFile) -> str | None:
    """The name of a file as the caller gave it, or as the file was stored."""
    return getattr(getattr(content, "media", None), "filename", None) or file.filename


def digits_of(chat_id: object) -> CleanText | None:
    """The number in a chat id. None for a hidden id (`…@lid`), which contains no number."""
    name, _, domain = str(chat_id).partition("@")
    return clean(name) if name.isdecimal() and domain in ("c.us", "s.whatsapp.net") else None


def error_text(body: Any) -> str:
    """The gateway's error message. Some errors also contain a copy of the request. The copy is left out, because it
    contains the customer's number."""
    match body:
        case (
            {"response": {"message": message}}
            | {"exception": {"message": message}}
            | {"error": {"message": message}}  # Meta
        ):
            words = message
        case {"output": {"payload": {"message": message}}, "data": data}:  # an error of Baileys' library Boom
            words = f"{message} ({data})"
        case {"error": error, "status": str(status)}:
            words = f"{error} (status: {status})"
        case {"message": message}:
            words = message
        case {"error": error}:
            words = error
        case _:
            words = ""
    return words if isinstance(words, str) else json.dumps(words)


def _encoded(body: Mapping[str, Any], file: MediaFile, with_file: Callable[[Body, str], Body]) -> bytes:
    return json.dumps(with_file(dict(body), base64.b64encode(file.data).decode())).encode()
