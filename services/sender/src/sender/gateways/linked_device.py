"""Linked device: what WAHA and Evolution have in common, which both speak for a WhatsApp that runs elsewhere.

Files travel inside the request, as base64. They are put there at the last moment, and a few at a time: a hundred
megabytes make two hundred more on their way.
"""

import asyncio
import base64
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from sender.core import failure_table
from sender.core.delivery import Delivery
from sender.core.failure_table import Sign
from sender.core.gateway_answer import Answer, InDoubt, Refused
from sender.core.session_states import Checked
from sender.gateways.credentials import Keyring
from sender.gateways.driver import NumberChecked, Ready
from sender.gateways.http_client import Away, Call, Client, Replied, Reply, Silent
from sender.gateways.media import File, Media
from spreader.contract.configuration import Profile
from spreader.contract.content import TemplateContent, TextContent
from spreader.media.safe_fetch import MediaRefused, MediaUnavailable
from spreader.vault import Undecryptable

FILES_AT_A_TIME = 8
IN_A_THREAD_BYTES = 256 * 1024
"""A larger file would hold up every other call while it is put into its request."""
NO_TEMPLATES = "templates can be sent through the Cloud API only: this profile's gateway is a linked device"

Body = dict[str, Any]


class LinkedDevice:
    """The common half of a driver."""

    def __init__(
        self,
        client: Client,
        keyring: Keyring,
        media: Media,
        file_seconds: float,
        key_header: str,
        signs: tuple[Sign, ...],
    ) -> None:
        self._client = client
        self._keyring = keyring
        self._media = media
        self._file_seconds = file_seconds
        self._key_header = key_header
        self._signs = signs
        self._files = asyncio.Semaphore(FILES_AT_A_TIME)

    async def ready(
        self, delivery: Delivery, profile: Profile, request: Callable[[File | None], tuple[str, Body]]
    ) -> Ready | Refused:
        """`request`: the path and the body for the delivery; the bytes of its file are not in it yet."""
        content = delivery.content
        if isinstance(content, TemplateContent):
            return Refused("content", NO_TEMPLATES)
        try:
            headers = self.headers(profile)
            file = None
            if not isinstance(content, TextContent):
                file = await self._media.file(content.media, content.type)
        except Undecryptable as error:
            return Refused("credentials", str(error))
        except MediaRefused as error:
            return Refused("content", str(error))
        except MediaUnavailable as error:
            return Refused("transient", str(error))
        path, body = request(file)
        return Ready(f"{address(profile)}{path}", headers, body, file)

    async def post(self, ready: Ready, with_file: Callable[[Body, str], Body]) -> Reply:
        """`with_file`: the body with the base64 of the file in its place."""
        if ready.file is None:
            return await self._client.call(Call("POST", ready.url, ready.headers, json=ready.body))
        file = ready.file
        async with self._files:
            if len(file.data) < IN_A_THREAD_BYTES:
                raw = _encoded(ready.body, file, with_file)
            else:
                raw = await asyncio.to_thread(_encoded, ready.body, file, with_file)
            headers = {**ready.headers, "Content-Type": "application/json"}
            return await self._client.call(Call("POST", ready.url, headers, data=raw, seconds=self._file_seconds))

    async def get(self, profile: Profile, path: str) -> Reply:
        """Raises `Undecryptable`."""
        return await self._client.call(Call("GET", f"{address(profile)}{path}", self.headers(profile)))

    async def ask(self, profile: Profile, path: str, body: Body) -> Reply:
        """A POST that changes nothing; raises `Undecryptable`."""
        return await self._client.call(Call("POST", f"{address(profile)}{path}", self.headers(profile), json=body))

    def headers(self, profile: Profile) -> Mapping[str, str]:
        return {self._key_header: self._keyring.of(profile)["api_key"]}

    def answer(self, reply: Reply) -> Answer:
        """Of a reply that is no success."""
        match reply:
            case Away(detail, retry_after):
                return Refused("gateway", detail, retry_after)
            case Silent(detail):
                return InDoubt(detail, can_ask=False)
            case Replied(status, body, _, retry_after):
                return failure_table.by_sign(self._signs, status, said(body), retry_after)

    def not_checked(self, reply: Reply) -> Checked:
        """Of a reply that does not say how the session stands."""
        answer = self.answer(reply)
        if not isinstance(answer, Refused):
            reason = answer.reason if isinstance(answer, InDoubt) else "the gateway's answer cannot be read"
            return Checked(False, reason, reached=False)
        lost = answer.failure in ("credentials", "profile")
        return Checked(False, answer.detail, "failed" if lost else None, code=answer.code, reached=lost)

    def not_told(self, reply: Reply) -> NumberChecked:
        """Of a reply that does not say whether a number exists."""
        answer = self.answer(reply)
        refused = answer if isinstance(answer, Refused) else None
        return NumberChecked(None, self.not_checked(reply).detail, refused=refused)


def address(profile: Profile) -> str:
    return profile.gateway.base_url.rstrip("/")


def name_of(profile: Profile) -> str:
    """The session or instance, as a part of a path."""
    return quote(profile.gateway.account, safe="")


def digits_of(chat: object) -> str | None:
    """The number that a chat is named by; None for a hidden id, which says no number."""
    name, _, domain = str(chat).partition("@")
    return name if name.isdecimal() and domain in ("c.us", "s.whatsapp.net") else None


def said(body: Any) -> str:
    """The gateway's own words; never the request that some of them repeat, which holds the customer's number."""
    match body:
        case {"response": {"message": message}} | {"exception": {"message": message}}:
            words = message
        case {"error": error, "status": str(status)}:
            words = f"{error} (status: {status})"
        case {"message": message}:
            words = message
        case {"error": error}:
            words = error
        case _:
            words = ""
    return words if isinstance(words, str) else json.dumps(words)


def _encoded(body: Mapping[str, Any], file: File, with_file: Callable[[Body, str], Body]) -> bytes:
    return json.dumps(with_file(dict(body), base64.b64encode(file.data).decode())).encode()
