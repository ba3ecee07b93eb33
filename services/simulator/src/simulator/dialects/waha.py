"""WAHA: events in one envelope, signed with HMAC-SHA512, tried 15 times with 2 s between.

The time stamp of a call is the wall's, because it guards against old copies of it; what an event tells is in the
system's time. A call that is tried again has the same request id and the same time stamp.
"""

import hashlib
import hmac
import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any, assert_never

from simulator.accounts import Account
from simulator.core.customers import Receipt
from simulator.core.failures import WAHA
from simulator.core.hidden import chat, hidden
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
from simulator.mailbox import Letter
from simulator.wire import rfc3339
from spreader.contract.ids import new_id

FIFTEEN_TIMES = Retries(2, 1, 2, jitter=0, attempts_max=15)
VERSION = "2026.7.1"
ACKS = {"failed": (-1, "ERROR"), "sent": (1, "SERVER"), "delivered": (2, "DEVICE"), "read": (3, "READ")}
STATUS: dict[SessionStatus, str] = {
    "working": "WORKING",
    "starting": "STARTING",
    "stopped": "STOPPED",
    "unlinked": "SCAN_QR_CODE",
    "failed": "FAILED",
}
TEMPORARY_BAN, BANNED = 402, 406


class Waha:
    def message_id(self, now: datetime) -> str:
        return bare_id()

    def receipt(self, account: Account, sent: Sent, receipt: Receipt) -> tuple[Json, ...]:
        ack, name = ACKS[receipt.status]
        key = _full_id(account, sent, from_me=True)
        payload = {"id": key, "from": _chat(account, sent.recipient), "participant": None, "fromMe": True}
        told = _event(account, "message.ack", {**payload, "ack": ack, "ackName": name}, receipt.at)
        if receipt.code is None or not receipt.code.isdecimal() or account.engine != "NOWEB":
            return (told,)
        update = {"status": 0, "messageStubParameters": [receipt.code, WAHA[receipt.code].title]}
        raw = [{"key": baileys_key(account, sent), "update": update}]
        return told, _engine(account, "messages.update", raw, receipt.at)

    def echo(self, account: Account, sent: Sent) -> tuple[Json, ...]:
        text = getattr(sent.content, "text", None) or getattr(sent.content, "caption", None) or ""
        payload = {
            "id": _full_id(account, sent, from_me=True),
            "timestamp": int(sent.at.timestamp()),
            "from": f"{account.phone}@c.us",
            "fromMe": True,
            "source": "api",
            "to": _chat(account, sent.recipient),
            "body": text,
            "hasMedia": sent.content.type not in ("text", "template"),
            "media": None,
            "ack": 0,
            "ackName": "PENDING",
            "vCards": [],
            "_data": {},
        }
        return (_event(account, "message.any", payload, sent.at),)

    def message(self, account: Account, letter: Letter) -> Json:
        sender = _chat(account, letter.phone)
        payload = {
            "id": f"false_{sender}_{letter.message_id}",
            "timestamp": int(letter.moment.timestamp()),
            "from": sender,
            "fromMe": False,
            "source": "app",
            "to": f"{account.phone}@c.us",
            "body": letter.text,
            "hasMedia": False,
            "media": None,
            "ack": 1,
            "ackName": "SERVER",
            "vCards": [],
            "_data": {"key": {"remoteJid": sender, "remoteJidAlt": f"{letter.phone}@s.whatsapp.net"}},
        }
        return _event(account, "message", payload, letter.moment)

    def report(self, account: Account, report: Report, now: datetime) -> tuple[Json, ...]:
        match report:
            case SessionChanged(status, reason):
                lost = () if reason is None else (_engine(account, "connection.update", closed(reason, now), now),)
                # A session that is unlinked fails first, and then asks for a scan.
                steps: tuple[SessionStatus, ...] = ("failed", "unlinked") if status == "unlinked" else (status,)
                return *lost, *(_status(account, step, now) for step in steps)
            case TimeLocked():
                return (_time_lock(account, report, now),)
            case Counted():
                return (_engine(account, "message-capping.update", _capping(report, now), now),)
            case TemporarilyBanned():
                return _ban(account, report, now), _status(account, "failed", now)
            case Disabled(reinstated):
                lost = _engine(account, "connection.update", closed(BANNED, now), now)
                return (_status(account, "working", now),) if reinstated else (lost, _status(account, "failed", now))
            case Silenced() | Rated() | OptedOut():
                return ()
            case _:
                assert_never(report)

    def headers(self, account: Account, body: bytes, wall: datetime) -> dict[str, str]:
        return {
            "X-Webhook-Request-Id": new_id("req", wall).removeprefix("req_"),
            "X-Webhook-Timestamp": str(int(wall.timestamp() * 1000)),
            "X-Webhook-Hmac": hmac.new(account.credentials["hmac_key"].encode(), body, hashlib.sha512).hexdigest(),
            "X-Webhook-Hmac-Algorithm": "sha512",
        }

    def retries(self, event: Event) -> Retries:
        return FIFTEEN_TIMES


def bare_id() -> str:
    """What WhatsApp's own clients call a message."""
    return "3EB0" + os.urandom(9).hex().upper()


def baileys_key(account: Account, sent: Sent) -> Json:
    jid = chat(sent.recipient, "s.whatsapp.net", account.behaviour.lid)
    return {"remoteJid": jid, "fromMe": True, "id": sent.message_id}


def closed(reason: int, now: datetime, data: Mapping[str, str] | None = None) -> Json:
    """Baileys' connection update for a connection that was lost for the reason of that code."""
    output = {"statusCode": reason, "payload": {"statusCode": reason, "message": "Connection Failure"}}
    error = {"data": {"reason": str(reason), **(data or {})}, "isBoom": True, "output": output}
    return {"connection": "close", "lastDisconnect": {"error": error, "date": rfc3339(now)}}


def me(account: Account) -> Json:
    name = {"id": f"{account.phone}@c.us", "pushName": "~"}
    return {**name, "lid": f"{hidden(account.phone)}@lid"} if account.behaviour.lid else name


def _event(account: Account, event: str, payload: Any, at: datetime) -> Json:
    return {
        "id": new_id("evt", at),
        "timestamp": int(at.timestamp() * 1000),
        "event": event,
        "session": account.account,
        "metadata": {"profile.id": account.profile_id},
        "me": me(account),
        "payload": payload,
        "environment": {"version": VERSION, "engine": account.engine, "tier": "CORE"},
        "engine": account.engine,
    }


def _engine(account: Account, event: str, data: Any, at: datetime) -> Json:
    return _event(account, "engine.event", {"event": event, "data": data}, at)


def _status(account: Account, status: SessionStatus, at: datetime) -> Json:
    said = STATUS[status]
    statuses = [{"status": said, "timestamp": int(at.timestamp() * 1000)}]
    return _event(account, "session.status", {"status": said, "statuses": statuses, "data": None}, at)


def _time_lock(account: Account, lock: TimeLocked, now: datetime) -> Json:
    active = lock.until is not None
    if account.engine == "GOWS":
        ends = None if lock.until is None else str(int(lock.until.timestamp()))
        data = {"enforcement_type": lock.enforcement, "is_active": active, "time_enforcement_ends": ends}
        return _engine(account, "NotifyAccountReachoutTimelock", data, now)
    ends = None if lock.until is None else rfc3339(lock.until)
    state = {"isActive": active, "timeEnforcementEnds": ends, "enforcementType": lock.enforcement}
    return _engine(account, "connection.update", {"reachoutTimeLock": state}, now)


def _ban(account: Account, ban: TemporarilyBanned, now: datetime) -> Json:
    seconds = max(0, int((ban.until - now).total_seconds()))
    if account.engine == "GOWS":
        return _engine(account, "TemporaryBan", {"Code": ban.code, "Expire": seconds * 1_000_000_000}, now)
    data = closed(TEMPORARY_BAN, now, {"code": str(ban.code), "expire": str(seconds)})
    return _engine(account, "connection.update", data, now)


def _capping(counted: Counted, now: datetime) -> Json:
    return {
        "total_quota": counted.total,
        "used_quota": counted.used,
        "cycle_start_timestamp": int(now.timestamp()),
        "cycle_end_timestamp": int(counted.resets_at.timestamp()),
        "server_sent_timestamp": int(now.timestamp()),
        "capping_status": counted.warning,
        "ote_status": "NOT_ELIGIBLE",
        "mv_status": "NOT_ELIGIBLE",
    }


def _full_id(account: Account, sent: Sent, from_me: bool) -> str:
    return f"{str(from_me).lower()}_{_chat(account, sent.recipient)}_{sent.message_id}"


def _chat(account: Account, phone: str) -> str:
    return chat(phone, "c.us", account.behaviour.lid)
