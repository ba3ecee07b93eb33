"""Evolution API: events without a signature or an id, under one static header, tried 10 times."""

import json
import uuid
from datetime import datetime, timedelta
from typing import Any, assert_never

from simulator.accounts import Account
from simulator.core.customers import Receipt
from simulator.core.hidden import chat
from simulator.core.reports import (
    Counted,
    Disabled,
    OptedOut,
    Rated,
    Report,
    SessionChanged,
    SessionStatus,
    Silenced,
    TemporarilyBanned,
    TimeLocked,
)
from simulator.dialects.dialect import Event, Json, Retries, Sent
from simulator.dialects.waha import BANNED, TEMPORARY_BAN, bare_id, closed
from simulator.mailbox import Letter
from simulator.wire import rfc3339
from spreader.contract.content import TextContent

TEN_TIMES = Retries(5, 2, 300, jitter=0.2, attempts_max=10, final=frozenset({400, 401, 403, 404, 422}))
STATUSES = {"failed": "ERROR", "sent": "SERVER_ACK", "delivered": "DELIVERY_ACK", "read": "READ"}
STATES: dict[SessionStatus, tuple[str, int]] = {
    "working": ("open", 200),
    "starting": ("connecting", 200),
    "stopped": ("close", 428),
    "unlinked": ("close", 401),
    "failed": ("close", 500),
}
FINAL_REASONS = frozenset({401, 402, 403, 406})
"""Evolution does not connect again after these, and says so in `status.instance`."""
FALSE_ZONE = timedelta(hours=3)
"""`date_time` is the server's local time with a `Z` that is not true."""
MESSAGE_TYPES = {
    "text": "conversation",
    "image": "imageMessage",
    "voice": "audioMessage",
    "document": "documentMessage",
    "video": "videoMessage",
    "template": "templateMessage",
}


class Evolution:
    def message_id(self, now: datetime) -> str:
        return bare_id()

    def receipt(self, account: Account, sent: Sent, receipt: Receipt) -> tuple[Json, ...]:
        """The number of an error is dropped, as by the real one."""
        data = {
            "keyId": sent.message_id,
            "remoteJid": _jid(account, sent.recipient),
            "fromMe": True,
            "status": STATUSES[receipt.status],
            "instanceId": instance_id(account),
            "messageId": f"cm{sent.message_id.lower()}",
        }
        return (_event(account, "messages.update", data, receipt.at),)

    def echo(self, account: Account, sent: Sent) -> tuple[Json, ...]:
        return (_event(account, "send.message", sent_message(account, sent), sent.at),)

    def message(self, account: Account, letter: Letter) -> Json:
        key: Json = {"remoteJid": _jid(account, letter.phone), "fromMe": False, "id": letter.message_id}
        if account.behaviour.lid:
            key["remoteJidAlt"] = f"{letter.phone}@s.whatsapp.net"
        data = {
            "key": key,
            "pushName": f"Customer {letter.phone[-4:]}",
            "status": "DELIVERY_ACK",
            "message": {"conversation": letter.text},
            "messageType": "conversation",
            "messageTimestamp": int(letter.moment.timestamp()),
            "instanceId": instance_id(account),
            "source": "android",
        }
        return _event(account, "messages.upsert", data, letter.moment)

    def report(self, account: Account, report: Report, now: datetime) -> tuple[Json, ...]:
        match report:
            case SessionChanged(status, reason):
                state, usual = STATES[status]
                return _connection(account, state, reason or usual, closed(reason or usual, now), now)
            case TemporarilyBanned(code, until):
                seconds = str(max(0, int((until - now).total_seconds())))
                why = closed(TEMPORARY_BAN, now, {"code": str(code), "expire": seconds})
                return _connection(account, "close", TEMPORARY_BAN, why, now)
            case Disabled(reinstated):
                if reinstated:
                    return _connection(account, "open", 200, {}, now)
                return _connection(account, "close", BANNED, closed(BANNED, now), now)
            case TimeLocked() | Counted() | Silenced() | Rated() | OptedOut():
                return ()
            case _:
                assert_never(report)

    def headers(self, account: Account, body: bytes, wall: datetime) -> dict[str, str]:
        return {"Authorization": f"Bearer {account.credentials['webhook_token']}"}

    def retries(self, event: Event) -> Retries:
        return TEN_TIMES


def sent_message(account: Account, sent: Sent) -> Json:
    """The message as the answer to a send and the event of it hold it."""
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


def instance_id(account: Account) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, account.account))


def _connection(account: Account, state: str, reason: int, why: Json, now: datetime) -> tuple[Json, ...]:
    data = {"instance": account.account, "wuid": f"{account.phone}@s.whatsapp.net", "profileName": account.account}
    update = _event(account, "connection.update", {**data, "state": state, "statusReason": reason}, now)
    if reason not in FINAL_REASONS:
        return (update,)
    ended = {
        "instance": account.account,
        "status": "closed",
        "disconnectionAt": rfc3339(now),
        "disconnectionReasonCode": reason,
        "disconnectionObject": json.dumps(why["lastDisconnect"]),
    }
    return update, _event(account, "status.instance", ended, now)


def _event(account: Account, event: str, data: Json, at: datetime) -> Json:
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


def _jid(account: Account, phone: str) -> str:
    return chat(phone, "s.whatsapp.net", account.behaviour.lid)
