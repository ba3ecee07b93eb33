"""WAHA: one event in a signed envelope. The time stamp guards against old copies of a call."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from ingress.core import failures
from ingress.core.reports import (
    ADDRESSED,
    Account,
    Echo,
    Nothing,
    Reached,
    Receipt,
    Report,
    Said,
    Standing,
    Whom,
    Words,
)
from ingress.core.signatures import signs
from ingress.core.tree import Tree, not_after
from ingress.core.webhook_parsers import Call, Refusal, Secrets, baileys
from ingress.core.webhook_parsers.people import bare_id, is_of_many, phone_of_chat
from ingress.core.webhook_parsers.waha_engine import engine_event
from spreader.contract.events import SessionState

SIGNATURE, TIMESTAMP = "x-webhook-hmac", "x-webhook-timestamp"
AGE_MAX = timedelta(minutes=5)

SESSIONS: Mapping[str, SessionState] = {
    "WORKING": "working", "STARTING": "starting", "STOPPED": "stopped", "FAILED": "failed", "SCAN_QR_CODE": "unlinked",
    "PASSKEY_REQUIRED": "unlinked", "PASSKEY_CONFIRMATION_REQUIRED": "unlinked",
}  # fmt: skip
ACKS: Mapping[int, Reached] = {-1: "failed", 1: "acknowledged", 2: "delivered", 3: "read", 4: "read"}
_TYPES: Mapping[str, str] = {
    "chat": "text", "ptt": "voice", "vcard": "contacts", "multi_vcard": "contacts", "buttons_response": "button",
    "list_response": "interactive",
    **{kind: kind for kind in ("audio", "image", "video", "document", "sticker", "location", "order")},
}  # fmt: skip
"""The types of WhatsApp Web (engine WEBJS), in our words."""


class Waha:
    secret = "hmac_key"  # noqa: S105 - its name

    def refusal(self, call: Call, secrets: Secrets) -> Refusal | None:
        shown = call.headers.get(SIGNATURE)
        if shown is None:
            return "no_signature"
        if not signs(secrets[self.secret], call.body, shown, "sha512"):
            return "wrong_signature"
        sent_at = Tree(call.headers.get(TIMESTAMP)).moment
        return None if sent_at is not None and abs(call.wall - sent_at) <= AGE_MAX else "too_old"

    def reports(self, body: bytes, now: datetime) -> list[Report]:
        event = Tree.read(body)
        session = event["session"].text
        whom: Whom = ADDRESSED if session is None else Account(session)
        return [Report(said, whom) for said in _said(event, not_after(now, event["timestamp"].moment))]


def _said(event: Tree, at: datetime) -> Iterable[Said]:
    name, payload = event["id"].text or event.digest, event["payload"]
    match event["event"].text:
        case "message":
            return [_words(payload, at)]
        case "message.any":
            return [_echo(payload, at)]
        case "message.reaction":
            return [_reaction(payload, at)]
        case "message.ack":
            return [_receipt(payload, at)]
        case "session.status":
            return [_session(payload, name, at)]
        case "engine.event":
            return engine_event(payload, name, at)
        case _:
            return [Nothing("unknown_event")]


def _words(payload: Tree, at: datetime) -> Said:
    chat, name = payload["from"].text, bare_id(payload["id"].text)
    if payload["fromMe"].flag or name is None:
        return Nothing("no_news")
    if is_of_many(chat):
        return Nothing("group")
    sender = phone_of_chat([chat]) or _behind(payload["_data"], "Sender")
    if sender is None:
        return Nothing("no_number")
    kind, text = _content(payload)
    return Words(name, sender, kind, text, not_after(at, payload["timestamp"].moment))


def _echo(payload: Tree, at: datetime) -> Said:
    """Of all that `message.any` tells, only what went out through the API is news: `message` has the rest."""
    full, chat = payload["id"].text, payload["to"].text
    name = bare_id(full)
    if not payload["fromMe"].flag or payload["source"].text != "api" or name is None:
        return Nothing("no_news")
    in_name = (full or "").split("_")[1:2]
    if any(is_of_many(each) for each in (chat, *in_name)):
        return Nothing("group")
    recipient = phone_of_chat([chat, *in_name]) or _behind(payload["_data"], "Recipient")
    if recipient is None:
        return Nothing("no_number")
    return Echo(name, recipient, not_after(at, payload["timestamp"].moment))


def _behind(data: Tree, who: str) -> str | None:
    """The number behind a hidden id, where the engine says it (Baileys' key, whatsmeow's info)."""
    return baileys.person(data["key"]) or phone_of_chat([data["Info"][f"{who}Alt"].text])


def _reaction(payload: Tree, at: datetime) -> Said:
    said = _words(payload, at)
    if not isinstance(said, Words):
        return said
    return Words(said.gateway_message_id, said.recipient, "reaction", payload["reaction"]["text"].text, said.at)


def _content(payload: Tree) -> tuple[str, str | None]:
    body, data = payload["body"].text, payload["_data"]
    told = baileys.content(data["message"]) if "message" in data else None
    if told is not None and told[0] != "unknown":
        return told[0], body or told[1]
    if (kind := _TYPES.get(data["type"].text or "")) is not None:
        return kind, body
    if payload["hasMedia"].flag or "media" in payload:
        return _of_media(payload["media"]["mimetype"].text or ""), body
    if "location" in payload:
        return "location", payload["location"]["description"].text
    if any(True for _ in payload["vCards"]) or payload["vCards"].value:
        return "contacts", None
    return ("text", body) if body is not None else ("unknown", None)


def _of_media(mime: str) -> str:
    kind = mime.partition("/")[0]
    if mime.startswith("audio/ogg"):
        return "voice"
    return kind if kind in ("image", "audio", "video") else "document"


def _receipt(payload: Tree, at: datetime) -> Said:
    name, reached = bare_id(payload["id"].text), ACKS.get(payload["ack"].whole or 0)
    if name is None or reached is None or payload["fromMe"].flag is False:
        return Nothing("no_news")
    if is_of_many(payload["from"].text) or is_of_many(payload["to"].text):
        return Nothing("group")
    if reached != "failed":
        return Receipt(name, reached, at)
    failure = failures.of_linked(None)
    return Receipt(name, reached, at, failure=failure.kind, code=failure.code, reason=failure.reason)


def _session(payload: Tree, name: str, at: datetime) -> Said:
    status = payload["status"].text or "?"
    state = SESSIONS.get(status)
    if state is None:
        return Nothing("no_news")
    return Standing(name, f"WAHA: the session is {status}", at, session=state, code=status)
