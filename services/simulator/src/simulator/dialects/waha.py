"""WAHA dialect: webhook events in one envelope, signed with HMAC-SHA512. They are tried 15 times, every 2 seconds.

`X-Webhook-Timestamp` is wall time, because receivers use it to reject old calls. Timestamps in events are system time.
A retry has the request id and the timestamp of the first attempt.
"""

import hashlib
import hmac
import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any, assert_never

from simulator.accounts import GatewayAccount
from simulator.core.account_state import ChatLock
from simulator.core.customers import SimulatedReceipt
from simulator.core.failures import WAHA_FAILURES
from simulator.core.phone_numbers import chat_id, hide_number
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
from simulator.schemas import rfc3339
from spreader.contract.ids import new_id

FIFTEEN_TIMES = RetrySchedule(2, 1, 2, jitter=0, attempts_max=15)
VERSION = "2026.7.1"
ACKS = {"failed": (-1, "ERROR"), "sent": (1, "SERVER"), "delivered": (2, "DEVICE"), "read": (3, "READ")}
STATUS: dict[SessionStatus, str] = {
    "working": "WORKING",
    "starting": "STARTING",
    "stopped": "STOPPED",
    "linking": "SCAN_QR_CODE",
    "unlinked": "SCAN_QR_CODE",
    "failed": "FAILED",
}
TEMPORARY_BAN, BANNED = 402, 406


class WahaDialect:
    def message_id(self, now: datetime) -> str:
        return bare_id()

    def receipt(self, account: GatewayAccount, sent: SentMessage, receipt: SimulatedReceipt) -> tuple[Json, ...]:
        ack, name = ACKS[receipt.status]
        key = _full_id(account, sent, from_me=True)
        payload = {"id": key, "from": _chat(account, sent.recipient), "participant": None, "fromMe": True}
        ack_event = _event(account, "message.ack", {**payload, "ack": ack, "ackName": name}, receipt.at)
        if receipt.code is None or not receipt.code.isdecimal() or account.engine != "NOWEB":
            return (ack_event,)
        update = {"status": 0, "messageStubParameters": [receipt.code, WAHA_FAILURES[receipt.code].title]}
        raw = [{"key": baileys_key(account, sent), "update": update}]
        return ack_event, _engine(account, "messages.update", raw, receipt.at)

    def echo(self, account: GatewayAccount, sent: SentMessage) -> tuple[Json, ...]:
        return (_event(account, "message.any", shown_message(account, sent), sent.at),)

    def message(self, account: GatewayAccount, customer_message: PendingMessage) -> Json:
        sender = _chat(account, customer_message.phone)
        key = {"remoteJid": sender}
        if not account.behaviour.lid_alone:
            key["remoteJidAlt"] = f"{customer_message.phone}@s.whatsapp.net"
        payload = {
            "id": f"false_{sender}_{customer_message.message_id}",
            "timestamp": int(customer_message.sent_at.timestamp()),
            "from": sender,
            "fromMe": False,
            "source": "app",
            "to": f"{account.phone}@c.us",
            "body": customer_message.text,
            "hasMedia": False,
            "media": None,
            "ack": 1,
            "ackName": "SERVER",
            "vCards": [],
            "_data": {"key": key},
        }
        return _event(account, "message", payload, customer_message.sent_at)

    def report(self, account: GatewayAccount, report: Report, now: datetime) -> tuple[Json, ...]:
        match report:
            case SessionChanged(status, reason):
                closed_events = (
                    ()
                    if reason is None
                    else (_engine(account, "connection.update", connection_closed(reason, now), now),)
                )
                # An unlinked session first fails, then shows a QR code.
                steps: tuple[SessionStatus, ...] = ("failed", "unlinked") if status == "unlinked" else (status,)
                return *closed_events, *(_status(account, step, now) for step in steps)
            case TimeLocked():
                return (_time_lock(account, report, now),)
            case QuotaCounted():
                return (_engine(account, "message-capping.update", _capping(report, now), now),)
            case TemporarilyBanned():
                return _ban(account, report, now), _status(account, "failed", now)
            case AccountDisabled(reinstated):
                closed_event = _engine(account, "connection.update", connection_closed(BANNED, now), now)
                return (
                    (_status(account, "working", now),)
                    if reinstated
                    else (closed_event, _status(account, "failed", now))
                )
            case Silenced() | QualityRated() | OptedOut():
                return ()
            case _:
                assert_never(report)

    def headers(self, account: GatewayAccount, body: bytes, wall: datetime) -> dict[str, str]:
        return {
            "X-Webhook-Request-Id": new_id("req", wall).removeprefix("req_"),
            "X-Webhook-Timestamp": str(int(wall.timestamp() * 1000)),
            "X-Webhook-Hmac": hmac.new(account.credentials["hmac_key"].encode(), body, hashlib.sha512).hexdigest(),
            "X-Webhook-Hmac-Algorithm": "sha512",
        }

    def retries(self, event: CallKind) -> RetrySchedule:
        return FIFTEEN_TIMES


def shown_message(account: GatewayAccount, sent: SentMessage) -> Json:
    """The form of our own message in the event `message.any`, and in the list of a chat's messages.

    NOWEB and GOWS name the chat in `from`, also for our own messages, and have no `to`.
    """
    chat = _chat(account, sent.recipient)
    ends = {"from": f"{account.phone}@c.us", "to": chat} if account.engine == "WEBJS" else {"from": chat}
    return {
        "id": _full_id(account, sent, from_me=True),
        "timestamp": int(sent.at.timestamp()),
        **ends,
        "fromMe": True,
        "source": "api",
        "body": getattr(sent.content, "text", None) or getattr(sent.content, "caption", None),
        "hasMedia": sent.content.type not in ("text", "template"),
        "media": None,
        "ack": 0,
        "ackName": "PENDING",
        "vCards": [],
        "_data": {},
    }


def shown_lock(lock: ChatLock, active: bool) -> Json | None:
    """The lock of new chats beside the session (`me`). None if there was never one."""
    if lock.until is None:
        return None
    ends = int(lock.until.timestamp())
    return {"enforcementType": lock.enforcement, "isActive": active, "timeEnforcementEnds": ends}


def bare_id() -> str:
    """A new message id in the format that WhatsApp's own clients use."""
    return "3EB0" + os.urandom(9).hex().upper()


def baileys_key(account: GatewayAccount, sent: SentMessage) -> Json:
    jid = chat_id(sent.recipient, "s.whatsapp.net", account.behaviour.lid)
    return {"remoteJid": jid, "fromMe": True, "id": sent.message_id}


def connection_closed(reason: int, now: datetime, data: Mapping[str, str] | None = None) -> Json:
    """Baileys' `connection.update` for a connection that closed with this reason code."""
    output = {"statusCode": reason, "payload": {"statusCode": reason, "message": "Connection Failure"}}
    error = {"data": {"reason": str(reason), **(data or {})}, "isBoom": True, "output": output}
    return {"connection": "close", "lastDisconnect": {"error": error, "date": rfc3339(now)}}


def own_contact(account: GatewayAccount) -> Json:
    name = {"id": f"{account.phone}@c.us", "pushName": "~"}
    return {**name, "lid": f"{hide_number(account.phone)}@lid"} if account.behaviour.lid else name


def _event(account: GatewayAccount, event: str, payload: Any, at: datetime) -> Json:
    return {
        "id": new_id("evt", at),
        "timestamp": int(at.timestamp() * 1000),
        "event": event,
        "session": account.account,
        "metadata": {"profile.id": account.profile_id},
        "me": own_contact(account),
        "payload": payload,
        "environment": {"version": VERSION, "engine": account.engine, "tier": "CORE"},
        "engine": account.engine,
    }


def _engine(account: GatewayAccount, event: str, data: Any, at: datetime) -> Json:
    return _event(account, "engine.event", {"event": event, "data": data}, at)


def _status(account: GatewayAccount, status: SessionStatus, at: datetime) -> Json:
    name = STATUS[status]
    statuses = [{"status": name, "timestamp": int(at.timestamp() * 1000)}]
    return _event(account, "session.status", {"status": name, "statuses": statuses, "data": None}, at)


def _time_lock(account: GatewayAccount, lock: TimeLocked, now: datetime) -> Json:
    active = lock.until is not None
    if account.engine == "GOWS":
        ends = None if lock.until is None else str(int(lock.until.timestamp()))
        data = {"enforcement_type": lock.enforcement, "is_active": active, "time_enforcement_ends": ends}
        return _engine(account, "NotifyAccountReachoutTimelock", data, now)
    ends = None if lock.until is None else rfc3339(lock.until)
    state = {"isActive": active, "timeEnforcementEnds": ends, "enforcementType": lock.enforcement}
    return _engine(account, "connection.update", {"reachoutTimeLock": state}, now)


def _ban(account: GatewayAccount, ban: TemporarilyBanned, now: datetime) -> Json:
    seconds = max(0, int((ban.until - now).total_seconds()))
    if account.engine == "GOWS":
        return _engine(account, "TemporaryBan", {"Code": ban.code, "Expire": seconds * 1_000_000_000}, now)
    data = connection_closed(TEMPORARY_BAN, now, {"code": str(ban.code), "expire": str(seconds)})
    return _engine(account, "connection.update", data, now)


def _capping(quota_usage: QuotaCounted, now: datetime) -> Json:
    return {
        "total_quota": quota_usage.total,
        "used_quota": quota_usage.used,
        "cycle_start_timestamp": int(now.timestamp()),
        "cycle_end_timestamp": int(quota_usage.resets_at.timestamp()),
        "server_sent_timestamp": int(now.timestamp()),
        "capping_status": quota_usage.warning,
        "ote_status": "NOT_ELIGIBLE",
        "mv_status": "NOT_ELIGIBLE",
    }


def _full_id(account: GatewayAccount, sent: SentMessage, from_me: bool) -> str:
    return f"{str(from_me).lower()}_{_chat(account, sent.recipient)}_{sent.message_id}"


def _chat(account: GatewayAccount, phone: str) -> str:
    return chat_id(phone, "c.us", account.behaviour.lid)
