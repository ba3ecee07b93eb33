"""Evolution dialect: webhook events without a signature or an id. They have one fixed header and are tried 10 times."""

import base64
import json
import uuid
from datetime import datetime, timedelta
from typing import Any, assert_never

from simulator.accounts import GatewayAccount
from simulator.core.customers import SimulatedReceipt
from simulator.core.linking_codes import qr_png, qr_text
from simulator.core.phone_numbers import chat_id
from simulator.core.reports import (
    AccountDisabled,
    OptedOut,
    QualityRated,
    QuotaCounted,
    Report,
    SessionChanged,
    SessionStatus,
    Silenced,
    TemporarilyBanned,
    TimeLocked,
)
from simulator.customer_messages import PendingMessage
from simulator.dialects.dialect import CallKind, Json, RetrySchedule, SentMessage
from simulator.dialects.waha import BANNED, TEMPORARY_BAN, bare_id, connection_closed
from simulator.schemas import rfc3339
from spreader.contract.content import TextContent

TEN_TIMES = RetrySchedule(5, 2, 300, jitter=0.2, attempts_max=10, final=frozenset({400, 401, 403, 404, 422}))
STATUSES = {"failed": "ERROR", "sent": "SERVER_ACK", "delivered": "DELIVERY_ACK", "read": "READ"}
STATES: dict[SessionStatus, tuple[str, int]] = {
    "working": ("open", 200),
    "starting": ("connecting", 200),
    "stopped": ("close", 428),
    "linking": ("connecting", 200),
    "unlinked": ("close", 401),
    "failed": ("close", 500),
}
FINAL_REASONS = frozenset({401, 402, 403, 406})
"""Evolution does not reconnect after these reasons, and sends `status.instance`."""
FALSE_ZONE = timedelta(hours=3)
"""Evolution's `date_time` is the server's local time with a wrong `Z`."""
MESSAGE_TYPES = {
    "text": "conversation",
    "image": "imageMessage",
    "voice": "audioMessage",
    "document": "documentMessage",
    "video": "videoMessage",
    "template": "templateMessage",
}


class EvolutionDialect:
    def message_id(self, now: datetime) -> str:
        return bare_id()

    def receipt(self, account: GatewayAccount, sent: SentMessage, receipt: SimulatedReceipt) -> tuple[Json, ...]:
        """The receipt has no error code, because the real Evolution does not report one either."""
        data = {
            "keyId": sent.message_id,
            "remoteJid": _jid(account, sent.recipient),
            "fromMe": True,
            "status": STATUSES[receipt.status],
            "instanceId": instance_id(account),
            "messageId": f"cm{sent.message_id.lower()}",
        }
        return (_event(account, "messages.update", data, receipt.at),)

    def echo(self, account: GatewayAccount, sent: SentMessage) -> tuple[Json, ...]:
        return (_event(account, "send.message", sent_message(account, sent), sent.at),)

    def message(self, account: GatewayAccount, customer_message: PendingMessage) -> Json:
        key: Json = {
            "remoteJid": _jid(account, customer_message.phone),
            "fromMe": False,
            "id": customer_message.message_id,
        }
        if account.behaviour.lid and not account.behaviour.lid_alone:
            key["remoteJidAlt"] = f"{customer_message.phone}@s.whatsapp.net"
        data = {
            "key": key,
            "pushName": f"Customer {customer_message.phone[-4:]}",
            "status": "DELIVERY_ACK",
            "message": {"conversation": customer_message.text},
            "messageType": "conversation",
            "messageTimestamp": int(customer_message.sent_at.timestamp()),
            "instanceId": instance_id(account),
            "source": "android",
        }
        return _event(account, "messages.upsert", data, customer_message.sent_at)

    def report(self, account: GatewayAccount, report: Report, now: datetime) -> tuple[Json, ...]:
        match report:
            case SessionChanged(status, reason):
                state, usual = STATES[status]
                shown = (_qr_code(account, now),) if status == "linking" else ()
                return *_connection(
                    account, state, reason or usual, connection_closed(reason or usual, now), now
                ), *shown
            case TemporarilyBanned(code, until):
                seconds = str(max(0, int((until - now).total_seconds())))
                error = connection_closed(TEMPORARY_BAN, now, {"code": str(code), "expire": seconds})
                return _connection(account, "close", TEMPORARY_BAN, error, now)
            case AccountDisabled(reinstated):
                if reinstated:
                    return _connection(account, "open", 200, {}, now)
                return _connection(account, "close", BANNED, connection_closed(BANNED, now), now)
            case TimeLocked() | QuotaCounted() | Silenced() | QualityRated() | OptedOut():
                return ()
            case _:
                assert_never(report)

    def headers(self, account: GatewayAccount, body: bytes, wall: datetime) -> dict[str, str]:
        return {"Authorization": f"Bearer {account.credentials['webhook_token']}"}

    def retries(self, event: CallKind) -> RetrySchedule:
        return TEN_TIMES


def sent_message(account: GatewayAccount, sent: SentMessage) -> Json:
    """The form of a message in the answer to its send, and in the event `send.message`."""
    content = sent.content
    name = MESSAGE_TYPES[content.type]
    body: Any = content.text if isinstance(content, TextContent) else {"caption": getattr(content, "caption", None)}
    return {
        "key": {"remoteJid": _jid(account, sent.recipient), "fromMe": True, "id": sent.message_id},
        "pushName": "Você",
        "status": "PENDING",
        "message": {name: body},
        "contextInfo": None,
        "messageType": name,
        "messageTimestamp": int(sent.at.timestamp()),
        "instanceId": instance_id(account),
        "source": "unknown",
    }


def instance_id(account: GatewayAccount) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, account.account))


def _connection(account: GatewayAccount, state: str, reason: int, error: Json, now: datetime) -> tuple[Json, ...]:
    data = {"instance": account.account, "wuid": f"{account.phone}@s.whatsapp.net", "profileName": account.account}
    update = _event(account, "connection.update", {**data, "state": state, "statusReason": reason}, now)
    if reason not in FINAL_REASONS:
        return (update,)
    ended = {
        "instance": account.account,
        "status": "closed",
        "disconnectionAt": rfc3339(now),
        "disconnectionReasonCode": reason,
        "disconnectionObject": json.dumps(error["lastDisconnect"]),
    }
    return update, _event(account, "status.instance", ended, now)


def _qr_code(account: GatewayAccount, now: datetime) -> Json:
    text = qr_text(account.account, now)
    image = f"data:image/png;base64,{base64.b64encode(qr_png(text)).decode()}"
    qrcode = {"instance": account.account, "pairingCode": None, "code": text, "base64": image}
    return _event(account, "qrcode.updated", {"qrcode": qrcode}, now)


def _event(account: GatewayAccount, event: str, data: Json, at: datetime) -> Json:
    return {
        "event": event,
        "instance": account.account,
        "data": data,
        "destination": account.webhook_url,
        "date_time": rfc3339(at - FALSE_ZONE)[:-4] + "Z",
        "sender": f"{account.phone}@s.whatsapp.net",
        "server_url": "http://127.0.0.1:8080",
        "apikey": None,
    }


def _jid(account: GatewayAccount, phone: str) -> str:
    return chat_id(phone, "s.whatsapp.net", account.behaviour.lid)
