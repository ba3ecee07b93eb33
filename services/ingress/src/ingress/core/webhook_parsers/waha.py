"""WAHA parser: parses WAHA's webhooks. Each call has one signed event. A call with a time stamp too far from now is
refused."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import LiteralString

from ingress.core import failures
from ingress.core.reports import (
    CALLED_PROFILE,
    NUMBER_UNKNOWN,
    AccountStatusReport,
    AddressedReport,
    Echo,
    EditedMessage,
    Ignored,
    InboundMessage,
    MessageReceipt,
    ProfileByAccount,
    ReceiptStatus,
    Report,
    Target,
    UnexpectedMessage,
)
from ingress.core.signatures import is_valid_hmac
from ingress.core.untrusted_json import UntrustedJson, not_after
from ingress.core.webhook_parsers import Refusal, Secrets, WebhookCall, baileys
from ingress.core.webhook_parsers.contact_ids import (
    hidden_id_of_jids,
    is_group_chat,
    phone_of_jids,
    whatsapp_message_id,
)
from ingress.core.webhook_parsers.linked_account_status import new_chat_quota, time_lock
from ingress.core.webhook_parsers.waha_engine import engine_event
from spreader.contract.events import SessionState
from spreader.text.clean_text import CleanText, clean, clean_id

SIGNATURE_HEADER, TIMESTAMP_HEADER = "x-webhook-hmac", "x-webhook-timestamp"
AGE_MAX = timedelta(minutes=5)
"""How far a call's time stamp may be before or after our own time."""

SESSIONS: Mapping[str, SessionState] = {
    "WORKING": "working", "STARTING": "starting", "STOPPED": "stopped", "FAILED": "failed", "SCAN_QR_CODE": "unlinked",
    "PASSKEY_REQUIRED": "unlinked", "PASSKEY_CONFIRMATION_REQUIRED": "unlinked",
}  # fmt: skip
RECEIPT_STATUSES: Mapping[int, ReceiptStatus] = {-1: "failed", 1: "acknowledged", 2: "delivered", 3: "read", 4: "read"}
_RESTRICTED = "463"
_NOTIFICATIONS = frozenset(
    {
        *("e2e_notification", "notification", "notification_template", "broadcast_notification", "group_notification"),
        *("newsletter_notification", "gp2", "protocol", "revoked", "ciphertext", "call_log", "debug", "album"),
        *("pinned_message", "keep_in_chat", "biz_content_placeholder"),
    }
)
"""WhatsApp Web's types for messages that no customer wrote, such as the note that a chat is encrypted."""
_KINDS: Mapping[str, LiteralString] = {
    "chat": "text", "ptt": "voice", "vcard": "contacts", "multi_vcard": "contacts", "buttons_response": "button",
    "list_response": "interactive", "template_button_reply": "button", "native_flow": "interactive",
    **{kind: kind for kind in ("audio", "image", "video", "document", "sticker", "location", "order")},
}  # fmt: skip
"""The kind of a message in our terms, by its type in WhatsApp Web. WAHA's engine WEBJS reports these types."""


class WahaParser:
    secret_name = "hmac_key"  # noqa: S105 - the name of the credential

    def refusal(self, call: WebhookCall, secrets: Secrets) -> Refusal | None:
        header = call.headers.get(SIGNATURE_HEADER)
        if header is None:
            return "no_signature"
        if not is_valid_hmac(secrets[self.secret_name], call.body, header, "sha512"):
            return "wrong_signature"
        sent_at = UntrustedJson(call.headers.get(TIMESTAMP_HEADER)).timestamp
        return None if sent_at is not None and abs(call.wall - sent_at) <= AGE_MAX else "too_old"

    def parse(self, body: bytes, now: datetime) -> list[AddressedReport]:
        event = UntrustedJson.parse(body)
        session = event["session"].id
        target: Target = CALLED_PROFILE if session is None else ProfileByAccount(session)
        at = not_after(now, event["timestamp"].timestamp)
        hidden_id = _hidden_id(event["payload"])
        return [AddressedReport(report, target, hidden_id) for report in _reports(event, at)]


def _reports(event: UntrustedJson, at: datetime) -> Iterable[Report]:
    payload = event["payload"]
    reports = [*_reports_of_event(event, at)]
    if event["event"].text != "message.any" and all(isinstance(report, Ignored) for report in reports):
        unexpected = _unexpected_message(payload, at)
        reports += [] if unexpected is None else [unexpected]
    return reports


def _reports_of_event(event: UntrustedJson, at: datetime) -> Iterable[Report]:
    event_id, payload = event["id"].text or event.digest, event["payload"]
    match event["event"].text:
        case "message":
            return [_inbound_message(payload, at)]
        case "message.any":
            return _echo(payload, at)
        case "message.edited":
            return [_edit(payload, at)]
        case "message.reaction":
            return [_reaction(payload, at)]
        case "message.ack":
            return [_receipt(payload, at), *_lock_of_error(payload["error"], event_id, at)]
        case "session.status":
            return _session(payload, event_id, at)
        case "engine.event":
            return engine_event(payload, event_id, at)
        case _:
            return [Ignored("unknown_event")]


def _inbound_message(payload: UntrustedJson, at: datetime) -> Report:
    chat = payload["from"].text
    if payload["fromMe"].boolean:
        return Ignored("no_news")
    if is_group_chat(chat):
        return Ignored("group")
    edited = baileys.edited_content(_engine_message(payload))
    words = edited or _content(payload)
    if payload["_data"]["type"].text in _NOTIFICATIONS or words is None:
        return Ignored("no_news")
    sender = phone_of_jids([chat]) or _hidden_phone(payload["_data"], "Sender")
    if sender is None and _hidden_id(payload) is None:
        return Ignored("no_number")
    message_id, sent_at = _message_id(payload), not_after(at, payload["timestamp"].timestamp)
    if edited is not None:
        return EditedMessage(message_id, sender or NUMBER_UNKNOWN, payload["body"].text or edited[1], sent_at)
    return InboundMessage(message_id, sender or NUMBER_UNKNOWN, *words, sent_at)


def _message_id(payload: UntrustedJson) -> CleanText:
    return whatsapp_message_id(payload["id"].text) or clean_id(f"unnamed/{payload.digest}")


def _unexpected_message(payload: UntrustedJson, at: datetime) -> Report | None:
    """A customer's text in an event that does not report a message. None if there is no such text."""
    # If the kind of the message cannot be found, its body is read alone.
    report = _inbound_message(payload, at) if _content(payload) else _inbound_message(_only_body(payload), at)
    if not isinstance(report, (InboundMessage, EditedMessage)) or report.text is None:
        return None
    return UnexpectedMessage(report.gateway_message_id, report.recipient, report.text, report.at)


def _only_body(payload: UntrustedJson) -> UntrustedJson:
    data = payload["_data"]
    members = {name: payload[name].value for name in ("from", "fromMe", "id", "timestamp", "body")}
    return UntrustedJson({**members, "_data": {name: data[name].value for name in ("type", "key", "Info")}})


def _edit(payload: UntrustedJson, at: datetime) -> Report:
    report = _inbound_message(payload, at)
    if not isinstance(report, InboundMessage):
        return report
    return EditedMessage(report.gateway_message_id, report.recipient, report.text, report.at)


def _echo(payload: UntrustedJson, at: datetime) -> Iterable[Report]:
    """The echo of a message that was sent through the API. The event `message.any` reports other messages too, but they
    are ignored. The engine GOWS sends no `message.ack` when WhatsApp's server has the message. Instead, the event
    `message.any` says so, and the result contains a receipt too."""
    full_id, chat = payload["id"].text, payload["to"].text
    message_id = whatsapp_message_id(full_id)
    if not payload["fromMe"].boolean or payload["source"].text != "api" or message_id is None:
        return [Ignored("no_news")]
    chat_in_id = (full_id or "").split("_")[1:2]
    if any(is_group_chat(jid) for jid in (chat, *chat_in_id)):
        return [Ignored("group")]
    sent_at = not_after(at, payload["timestamp"].timestamp)
    acknowledged = RECEIPT_STATUSES.get(payload["ack"].integer or 0) == "acknowledged"
    receipts = [MessageReceipt(message_id, "acknowledged", sent_at)] if acknowledged else []
    recipient = phone_of_jids([chat, *chat_in_id]) or _hidden_phone(payload["_data"], "Recipient")
    if recipient is None and _hidden_id(payload) is None:
        return receipts or [Ignored("no_number")]
    return [Echo(message_id, recipient or NUMBER_UNKNOWN, sent_at), *receipts]


def _hidden_phone(data: UntrustedJson, role: str) -> CleanText | None:
    """The phone number of a chat whose id hides the number. None if the engine does not report the number.

    Baileys reports the number in `key`, and whatsmeow reports it in `Info`.
    """
    return baileys.phone_of_key(data["key"]) or phone_of_jids([data["Info"][f"{role}Alt"].text])


def _hidden_id(payload: UntrustedJson) -> CleanText | None:
    """The id of the customer's chat, if this id hides the phone number. If we sent the message, the id of the message
    contains the id of the chat."""
    info, key = payload["_data"]["Info"], payload["_data"]["key"]
    chat_in_id = (payload["id"].text or "").split("_")[1:2]
    own_chats = (*chat_in_id, payload["to"].text, info["Chat"].text)
    chats = own_chats if payload["fromMe"].boolean else (payload["from"].text, info["SenderAlt"].text)
    return hidden_id_of_jids(chats) or baileys.hidden_id_of_key(key)


def _reaction(payload: UntrustedJson, at: datetime) -> Report:
    report = _inbound_message(payload, at)
    if not isinstance(report, InboundMessage):
        return report
    emoji = payload["reaction"]["text"].text
    if emoji is None:  # the customer removed a reaction
        return Ignored("no_news")
    return InboundMessage(report.gateway_message_id, report.recipient, "reaction", emoji, report.at)


def _engine_message(payload: UntrustedJson) -> UntrustedJson:
    """The message as Baileys or whatsmeow has it. Null for other engines."""
    data = payload["_data"]
    return data["message"] if "message" in data else data["Message"]


def _content(payload: UntrustedJson) -> tuple[LiteralString, CleanText | None] | None:
    """The kind of the message and its text. None if no customer wrote it."""
    body, data = payload["body"].text, payload["_data"]
    message = _engine_message(payload)
    content = baileys.content(message)
    if content is not None and content[0] != "unknown":
        # If the customer chose a button or a list item, the body may contain more than the text of this choice.
        is_choice = content[0] in ("button", "interactive")
        return content[0], (content[1] or body) if is_choice else (body or content[1])
    if baileys.is_between_apps(message):
        return None
    if (title := data["listResponse"]["title"].text) is not None:
        return "interactive", title
    if (kind := _KINDS.get(data["type"].text or "")) is not None:
        return kind, body or data["body"].text
    if payload["hasMedia"].boolean or "media" in payload:
        return _media_kind(payload["media"]["mimetype"].text or ""), body
    if "location" in payload:
        return "location", payload["location"]["description"].text or body
    if payload["vCards"].value:
        return "contacts", body
    if body is not None:
        return "text", body
    is_known = content is not None or "type" in data or "reaction" in payload
    return ("unknown", None) if is_known else None


_MEDIA_KINDS: Mapping[str, LiteralString] = {kind: kind for kind in ("image", "audio", "video")}


def _media_kind(mime: str) -> LiteralString:
    if mime.startswith("audio/ogg"):
        return "voice"
    return _MEDIA_KINDS.get(mime.partition("/")[0], "document")


def _receipt(payload: UntrustedJson, at: datetime) -> Report:
    message_id, status = whatsapp_message_id(payload["id"].text), RECEIPT_STATUSES.get(payload["ack"].integer or 0)
    if message_id is None or status is None or payload["fromMe"].boolean is False:
        return Ignored("no_news")
    if is_group_chat(payload["from"].text) or is_group_chat(payload["to"].text):
        return Ignored("group")
    if status != "failed":
        return MessageReceipt(message_id, status, at)
    failure = failures.linked_device_failure(payload["error"]["code"].text, payload["error"]["message"].text)
    return MessageReceipt(message_id, status, at, failure=failure.kind, code=failure.code, reason=failure.reason)


def _lock_of_error(error: UntrustedJson, event_id: str, at: datetime) -> Iterable[Report]:
    """How long WhatsApp lets the profile open no chats, if WhatsApp refused a message for this reason (code 463).

    The members of the error are those of `buildAckError` in WAHA (src/core/engines/noweb/restriction.ts).
    """
    ends = error["until"].timestamp
    if error["code"].text != _RESTRICTED or ends is None or ends <= at:
        return []
    lock = {
        "isActive": True,
        "enforcementType": error["enforcementType"].value,
        "timeEnforcementEnds": ends.isoformat(),
    }
    return [time_lock(UntrustedJson(lock)).reported_by("WAHA", f"{event_id}/lock", at)]


def _session(payload: UntrustedJson, event_id: str, at: datetime) -> Iterable[Report]:
    """The state of the session. If the event contains WhatsApp's restriction or quota of the profile, they are reported
    too."""
    status, data = payload["status"].text or "?", payload["data"]
    state = SESSIONS.get(status)
    if state is None:
        return [Ignored("no_news")]
    session = AccountStatusReport(
        clean_id(event_id), clean(f"WAHA: the session is {status}"), at, session=state, code=clean_id(status)
    )
    statuses = [
        time_lock(data["reachoutTimelock"]) if "reachoutTimelock" in data else None,
        new_chat_quota(data["messageCapping"]),
    ]
    relevant = [each for each in statuses if each is not None]
    return [session, *(each.reported_by("WAHA", f"{event_id}/{index}", at) for index, each in enumerate(relevant))]
