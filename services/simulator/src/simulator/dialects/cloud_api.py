"""Cloud API: Meta's webhooks, signed with the app's secret over the raw body, and tried again for seven days."""

import base64
import hashlib
import hmac
from datetime import datetime
from typing import Any, assert_never

from simulator.accounts import Account
from simulator.core.customers import Receipt
from simulator.core.failures import CLOUD_API
from simulator.core.reports import (
    Counted,
    Disabled,
    OptedOut,
    Rated,
    Report,
    SessionChanged,
    Silenced,
    TemporarilyBanned,
    TimeLocked,
)
from simulator.dialects.dialect import Event, Json, Retries, Sent
from simulator.mailbox import Letter
from spreader.contract.content import TemplateContent
from spreader.contract.ids import new_id

SEVEN_DAYS = Retries(1, 2, 600, jitter=0.2, attempts_max=1_016)
HREF = "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/"
BUSINESS_INITIATED = "RESTRICTED_BIZ_INITIATED_MESSAGING"
CUSTOMER_INITIATED = "RESTRICTED_CUSTOMER_INITIATED_MESSAGING"


class CloudApi:
    def message_id(self, now: datetime) -> str:
        return "wamid.HBg" + base64.urlsafe_b64encode(new_id("m", now).encode()).decode().rstrip("=")

    def receipt(self, account: Account, sent: Sent, receipt: Receipt) -> tuple[Json, ...]:
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

    def echo(self, account: Account, sent: Sent) -> tuple[Json, ...]:
        return ()

    def message(self, account: Account, letter: Letter) -> Json:
        message = {
            "from": letter.phone,
            "id": letter.message_id,
            "timestamp": _seconds(letter.moment),
            "type": "text",
            "text": {"body": letter.text},
        }
        contact = {"profile": {"name": _name(letter.phone)}, "wa_id": letter.phone}
        return _messages(account, {"contacts": [contact], "messages": [message]})

    def report(self, account: Account, report: Report, now: datetime) -> tuple[Json, ...]:
        """Quality is found by asking; that a restriction is over follows from its expiration."""
        match report:
            case TimeLocked(until):
                return () if until is None else (_restriction(account, now, until, BUSINESS_INITIATED),)
            case Silenced(until):
                return (_restriction(account, now, until, BUSINESS_INITIATED, CUSTOMER_INITIATED),)
            case Disabled(reinstated):
                ban = {"waba_ban_state": "REINSTATE" if reinstated else "DISABLE", "waba_ban_date": f"{now:%B %d, %Y}"}
                update = {"phone_number": account.phone, "event": "DISABLED_UPDATE", "ban_info": ban}
                return (_envelope(account, "account_update", update, now),)
            case OptedOut(phone, resumes):
                return (_preference(account, phone, resumes, now),)
            case Counted(total):
                return (_envelope(account, "business_capability_update", _capability(total), now),)
            case Rated() | SessionChanged() | TemporarilyBanned():
                return ()
            case _:
                assert_never(report)

    def headers(self, account: Account, body: bytes, wall: datetime) -> dict[str, str]:
        signature = hmac.new(account.credentials["app_secret"].encode(), body, hashlib.sha256).hexdigest()
        return {"X-Hub-Signature-256": f"sha256={signature}", "User-Agent": "facebookexternalua"}

    def retries(self, event: Event) -> Retries:
        return SEVEN_DAYS


def _messages(account: Account, said: Json) -> Json:
    metadata = {"display_phone_number": account.phone, "phone_number_id": account.account}
    return _envelope(account, "messages", {"messaging_product": "whatsapp", "metadata": metadata, **said})


def _envelope(account: Account, field: str, value: Json, now: datetime | None = None) -> Json:
    """`time` stands in all entries but those of the field `messages`."""
    entry: Json = {"id": account.waba_id, "changes": [{"field": field, "value": value}]}
    if now is not None:
        entry["time"] = int(now.timestamp())
    return {"object": "whatsapp_business_account", "entry": [entry]}


def _price(sent: Sent) -> dict[str, Any]:
    category = "marketing" if isinstance(sent.content, TemplateContent) else "service"
    conversation = {"id": hashlib.sha256(sent.recipient.encode()).hexdigest()[:32], "origin": {"type": category}}
    pricing = {"billable": category != "service", "pricing_model": "PMP", "category": category}
    return {"conversation": conversation, "pricing": pricing}


def _error(code: str) -> Json:
    title = CLOUD_API[code].title if code in CLOUD_API else "Something went wrong"
    return {"code": int(code), "title": title, "message": title, "error_data": {"details": f"{title}."}, "href": HREF}


def _restriction(account: Account, now: datetime, until: datetime, *kinds: str) -> Json:
    info = [{"restriction_type": kind, "expiration": int(until.timestamp())} for kind in kinds]
    update = {"phone_number": account.phone, "event": "ACCOUNT_RESTRICTION", "restriction_info": info}
    return _envelope(account, "account_update", update, now)


def _preference(account: Account, phone: str, resumes: bool, now: datetime) -> Json:
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


def _seconds(moment: datetime) -> str:
    return str(int(moment.timestamp()))
