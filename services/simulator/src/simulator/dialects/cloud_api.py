"""Cloud API dialect: Meta's webhooks, signed with the app secret over the raw body, and retried for seven days."""

import base64
import hashlib
import hmac
from datetime import datetime
from typing import Any, assert_never

from simulator.accounts import GatewayAccount
from simulator.core.customers import SimulatedReceipt
from simulator.core.failures import CLOUD_API_FAILURES
from simulator.core.reports import (
    AccountDisabled,
    OptedOut,
    QualityRated,
    QuotaCounted,
    Report,
    SessionChanged,
    Silenced,
    TemporarilyBanned,
    TimeLocked,
)
from simulator.customer_messages import PendingMessage
from simulator.dialects.dialect import CallKind, Json, RetrySchedule, SentMessage
from spreader.contract.content import TemplateContent
from spreader.contract.ids import new_id

SEVEN_DAYS = RetrySchedule(1, 2, 600, jitter=0.2, attempts_max=1_016)
HREF = "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/"
BUSINESS_INITIATED = "RESTRICTED_BIZ_INITIATED_MESSAGING"
CUSTOMER_INITIATED = "RESTRICTED_CUSTOMER_INITIATED_MESSAGING"


class CloudApiDialect:
    def message_id(self, now: datetime) -> str:
        return "wamid.HBg" + base64.urlsafe_b64encode(new_id("m", now).encode()).decode().rstrip("=")

    def receipt(self, account: GatewayAccount, sent: SentMessage, receipt: SimulatedReceipt) -> tuple[Json, ...]:
        status: Json = {
            "id": sent.message_id,
            "status": receipt.status,
            "timestamp": _seconds(receipt.at),
            "recipient_id": sent.recipient,
        }
        if sent.delivery_id is not None:
            status["biz_opaque_callback_data"] = sent.delivery_id
        if receipt.status == "failed":
            status["errors"] = [_error(receipt.code or "131026")]
        elif receipt.status != "read":
            status |= _price(sent)
        return (_messages(account, {"statuses": [status]}),)

    def echo(self, account: GatewayAccount, sent: SentMessage) -> tuple[Json, ...]:
        return ()

    def message(self, account: GatewayAccount, customer_message: PendingMessage) -> Json:
        message = {
            "from": customer_message.phone,
            "id": customer_message.message_id,
            "timestamp": _seconds(customer_message.sent_at),
            "type": "text",
            "text": {"body": customer_message.text},
        }
        contact = {"profile": {"name": _name(customer_message.phone)}, "wa_id": customer_message.phone}
        return _messages(account, {"contacts": [contact], "messages": [message]})

    def report(self, account: GatewayAccount, report: Report, now: datetime) -> tuple[Json, ...]:
        """Meta reports no quality changes. It does not report the end of a restriction either, because the report of
        the restriction contains its end."""
        match report:
            case TimeLocked(until):
                return () if until is None else (_restriction(account, now, until, BUSINESS_INITIATED),)
            case Silenced(until):
                return (_restriction(account, now, until, BUSINESS_INITIATED, CUSTOMER_INITIATED),)
            case AccountDisabled(reinstated):
                ban = {"waba_ban_state": "REINSTATE" if reinstated else "DISABLE", "waba_ban_date": f"{now:%B %d, %Y}"}
                update = {"phone_number": account.phone, "event": "DISABLED_UPDATE", "ban_info": ban}
                return (_envelope(account, "account_update", update, now),)
            case OptedOut(phone, resumes):
                return (_preference(account, phone, resumes, now),)
            case QuotaCounted(total):
                return (_envelope(account, "business_capability_update", _capability(total), now),)
            case QualityRated() | SessionChanged() | TemporarilyBanned():
                return ()
            case _:
                assert_never(report)

    def headers(self, account: GatewayAccount, body: bytes, wall: datetime) -> dict[str, str]:
        signature = hmac.new(account.credentials["app_secret"].encode(), body, hashlib.sha256).hexdigest()
        return {"X-Hub-Signature-256": f"sha256={signature}", "User-Agent": "facebookexternalua"}

    def retries(self, event: CallKind) -> RetrySchedule:
        return SEVEN_DAYS


def _messages(account: GatewayAccount, content: Json) -> Json:
    metadata = {"display_phone_number": account.phone, "phone_number_id": account.account}
    return _envelope(account, "messages", {"messaging_product": "whatsapp", "metadata": metadata, **content})


def _envelope(account: GatewayAccount, field: str, value: Json, now: datetime | None = None) -> Json:
    """The envelope of a webhook call. Entries of the field `messages` have no `time`, but all other entries do."""
    entry: Json = {"id": account.waba_id, "changes": [{"field": field, "value": value}]}
    if now is not None:
        entry["time"] = int(now.timestamp())
    return {"object": "whatsapp_business_account", "entry": [entry]}


def _price(sent: SentMessage) -> dict[str, Any]:
    category = "marketing" if isinstance(sent.content, TemplateContent) else "service"
    conversation = {"id": hashlib.sha256(sent.recipient.encode()).hexdigest()[:32], "origin": {"type": category}}
    pricing = {"billable": category != "service", "pricing_model": "PMP", "category": category}
    return {"conversation": conversation, "pricing": pricing}


def _error(code: str) -> Json:
    title = CLOUD_API_FAILURES[code].title if code in CLOUD_API_FAILURES else "Something went wrong"
    return {"code": int(code), "title": title, "message": title, "error_data": {"details": f"{title}."}, "href": HREF}


def _restriction(account: GatewayAccount, now: datetime, until: datetime, *kinds: str) -> Json:
    info = [{"restriction_type": kind, "expiration": int(until.timestamp())} for kind in kinds]
    update = {"phone_number": account.phone, "event": "ACCOUNT_RESTRICTION", "restriction_info": info}
    return _envelope(account, "account_update", update, now)


def _preference(account: GatewayAccount, phone: str, resumes: bool, now: datetime) -> Json:
    preference = {
        "wa_id": phone,
        "detail": f"User requested to {'resume' if resumes else 'stop'} marketing messages",
        "category": "marketing_messages",
        "value": "resume" if resumes else "stop",
        "timestamp": int(now.timestamp()),
    }
    contact = {"profile": {"name": _name(phone)}, "wa_id": phone}
    metadata = {"display_phone_number": account.phone, "phone_number_id": account.account}
    value = {"messaging_product": "whatsapp", "metadata": metadata, "contacts": [contact]}
    return _envelope(account, "user_preferences", {**value, "user_preferences": [preference]}, now)


def _capability(total: int) -> Json:
    return {"max_daily_conversations_per_business": total, "max_phone_numbers_per_waba": 25}


def _name(phone: str) -> str:
    return f"Customer {phone[-4:]}"


def _seconds(at: datetime) -> str:
    return str(int(at.timestamp()))
