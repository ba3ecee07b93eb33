"""Cloud API parser: parses Meta's webhooks. One signed body may contain many messages and statuses of several accounts.

Format: https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/components
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from ingress.core import failures
from ingress.core.reports import (
    CALLED_PROFILE,
    NUMBER_UNKNOWN,
    AddressedReport,
    EditedMessage,
    Ignored,
    InboundMessage,
    MarketingPreference,
    MessageReceipt,
    NumberChange,
    ProfileByAccount,
    ReceiptStatus,
    Report,
    Target,
    UnexpectedMessage,
)
from ingress.core.signatures import equal_in_constant_time, is_valid_hmac
from ingress.core.untrusted_json import UntrustedJson, not_after
from ingress.core.webhook_parsers import Refusal, Secrets, WebhookCall
from ingress.core.webhook_parsers.cloud_account_status import account_status_reports
from ingress.core.webhook_parsers.cloud_content import content
from ingress.core.webhook_parsers.contact_ids import phone_number
from spreader.text.clean_text import CleanText, SafeText, clean, clean_id

SIGNATURE_HEADER = "x-hub-signature-256"
SIGNATURE_PREFIX = "sha256="

_Named = tuple[Report, CleanText | None]
"""A report, and the hidden id of the customer."""
_NUMBER_CHANGES = ("user_changed_number", "customer_changed_number")
RECEIPT_STATUSES: Mapping[str, ReceiptStatus] = {
    "sent": "acknowledged", "delivered": "delivered", "read": "read", "played": "read", "failed": "failed",
}  # fmt: skip


class CloudApiParser:
    secret_name = "app_secret"  # noqa: S105 - the name of the credential

    def refusal(self, call: WebhookCall, secrets: Secrets) -> Refusal | None:
        header = call.headers.get(SIGNATURE_HEADER)
        if header is None:
            return "no_signature"
        if not header.startswith(SIGNATURE_PREFIX):
            return "wrong_signature"
        signature = header.removeprefix(SIGNATURE_PREFIX)
        is_valid = is_valid_hmac(secrets[self.secret_name], call.body, signature, "sha256")
        return None if is_valid else "wrong_signature"

    def parse(self, body: bytes, now: datetime) -> list[AddressedReport]:
        return [
            report
            for entry in UntrustedJson.parse(body)["entry"]
            for change in entry["changes"]
            for report in _change(entry, change, now)
        ]


def is_verify_request(query: Mapping[str, str], secrets: Secrets) -> bool:
    """Whether Meta's request during the set-up of a webhook contains our verify token."""
    token = query.get("hub.verify_token", "")
    return query.get("hub.mode") == "subscribe" and equal_in_constant_time(secrets["verify_token"], token)


def _change(entry: UntrustedJson, change: UntrustedJson, now: datetime) -> Iterable[AddressedReport]:
    value, field = change["value"], change["field"].text
    account = value["metadata"]["phone_number_id"].id
    target: Target = CALLED_PROFILE if account is None else ProfileByAccount(account)
    # All members of a change are read, whatever the name of its field is.
    reports = [*_messages(value, now), *_statuses(value, now), *_preferences(value, now)]
    if field != "messages":
        reports = [(_unexpected(report), hidden_id) for report, hidden_id in reports]
    if field in ("messages", "user_preferences"):
        reports += [(Ignored("gateway_error"), None) for _ in value["errors"]]
    elif not reports:
        return account_status_reports(entry, change, now)
    return [AddressedReport(report, target, hidden_id) for report, hidden_id in reports]


def _unexpected(report: Report) -> Report:
    if not isinstance(report, InboundMessage):
        return report
    if report.text is None:
        return Ignored("no_news")
    return UnexpectedMessage(report.gateway_message_id, report.recipient, report.text, report.at)


@dataclass(frozen=True, slots=True)
class _Customer:
    """A customer whom Meta names. `number` is `NUMBER_UNKNOWN` if Meta names the customer only by a user id, which is a
    hidden id. `number` is None if Meta gives neither."""

    number: SafeText | None
    hidden_id: CleanText | None


def _customer(value: UntrustedJson, number: UntrustedJson, user_id: UntrustedJson) -> _Customer:
    """The customer with this number or this user id. If one of the two is missing, it is taken from the customer's
    contact in `value`. If `value` has only one contact, this is the customer's contact."""
    contacts = [*value["contacts"]]
    of_user = [each for each in contacts if user_id.text is not None and each["user_id"].text == user_id.text]
    (contact, *_) = [*of_user, *(contacts if len(contacts) == 1 else []), UntrustedJson(None)]
    known = phone_number(number.text) or phone_number(contact["wa_id"].text)
    hidden_id = user_id.id or contact["user_id"].id
    return _Customer(known or (None if hidden_id is None else NUMBER_UNKNOWN), hidden_id)


def _messages(value: UntrustedJson, now: datetime) -> Iterator[_Named]:
    for message in value["messages"]:
        sender = _customer(value, message["from"], message["from_user_id"])
        yield _message(message, sender, not_after(now, message["timestamp"].timestamp)), sender.hidden_id


def _message(message: UntrustedJson, sender: _Customer, at: datetime) -> Report:
    message_id = message["id"].id or clean_id(f"unnamed/{message.digest}")
    new = message["edit"]["message"]
    words = content(new if new.value else message)
    if "group_id" in message:
        return Ignored("group")
    if "system" in message or words is None:
        return _number_change(message, sender, at) or _system_preference(message, sender, at) or Ignored("no_news")
    if sender.number is None:
        return Ignored("no_number")
    if new.value:
        return EditedMessage(message_id, sender.number, words[1], at)
    return InboundMessage(message_id, sender.number, *words, at)


def _number_change(message: UntrustedJson, sender: _Customer, at: datetime) -> Report | None:
    """The report of a customer's new number. None if the message says nothing about a new number."""
    system = message["system"]
    new = phone_number(system["wa_id"].text) or phone_number(system["new_wa_id"].text)
    is_change = (system["type"].text or "") in _NUMBER_CHANGES
    named: list[SafeText | None] = [sender.number, phone_number(system["customer"].text)]
    old: SafeText | None = next((each for each in named if each and each != new), None)
    if not is_change or new is None or old is None:
        return None
    return NumberChange(old, new, clean(f"new-number/{message['id'].id or message.digest}"), at)


def _system_preference(message: UntrustedJson, sender: _Customer, at: datetime) -> Report | None:
    """A customer's choice about marketing messages. Meta's older form of it is a message of the type `system`. None if
    the message contains no such choice."""
    choice = message["system"]["marketing"].text
    if sender.number is None or choice not in ("stop", "resume"):
        return None
    return MarketingPreference(sender.number, choice == "stop", clean(f"user_preferences/{message.digest}"), at)


def _statuses(value: UntrustedJson, now: datetime) -> Iterator[_Named]:
    for item in value["statuses"]:
        recipient = _customer(value, item["recipient_id"], item["recipient_user_id"])
        for report in _status(item, recipient, now):
            yield report, recipient.hidden_id


def _status(item: UntrustedJson, recipient: _Customer, now: datetime) -> Iterator[Report]:
    status, message_id = RECEIPT_STATUSES.get(item["status"].text or ""), item["id"].id
    failure = _failure(item) if status == "failed" or "errors" in item else None
    at = not_after(now, item["timestamp"].timestamp)
    if failure is not None and failure.kind == "opted_out" and recipient.number is not None:
        # The recipient has stopped marketing messages of this business in WhatsApp.
        yield MarketingPreference(recipient.number, True, clean(f"status/{message_id or item.digest}"), at)
    if status is None or message_id is None:
        yield Ignored("no_news")
        return
    failure = failure if status == "failed" else None
    yield MessageReceipt(
        message_id,
        status,
        at,
        item["biz_opaque_callback_data"].id,
        failure=failure.kind if failure else None,
        code=failure.code if failure else None,
        reason=failure.reason if failure else None,
    )


def _failure(status: UntrustedJson) -> failures.ReportedFailure:
    error = next((error for error in status["errors"] if "code" in error), UntrustedJson(None))
    details = error["error_data"]["details"].text or error["error_data"].text
    return failures.cloud_api_failure(error["code"].integer, details or error["message"].text or error["title"].text)


def _preferences(value: UntrustedJson, now: datetime) -> Iterator[_Named]:
    for item in value["user_preferences"]:
        customer = _customer(value, item["wa_id"], item["user_id"])
        yield _preference(item, customer.number, not_after(now, item["timestamp"].timestamp)), customer.hidden_id


def _preference(item: UntrustedJson, number: SafeText | None, at: datetime) -> Report:
    choice = item["value"].text
    if number is None or choice not in ("stop", "resume"):
        return Ignored("no_number" if number is None else "no_news")
    return MarketingPreference(number, choice == "stop", clean(f"user_preferences/{item.digest}"), at)
