"""Cloud API parser: parses Meta's webhooks. One signed body may contain many messages and statuses of several accounts.

Format: https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/components
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from ingress.core import failures
from ingress.core.reports import (
    CALLED_PROFILE,
    AddressedReport,
    EditedMessage,
    Ignored,
    InboundMessage,
    MarketingPreference,
    MessageReceipt,
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
from spreader.text.clean_text import CleanText, clean, clean_id

SIGNATURE_HEADER = "x-hub-signature-256"
SIGNATURE_PREFIX = "sha256="

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
    # The members show what a change contains, whatever its field is called.
    reports = [*_messages(value, now), *_statuses(value, now), *_preferences(value, now)]
    if field != "messages":
        reports = [_unexpected(report) for report in reports]
    if field in ("messages", "user_preferences"):
        reports += [Ignored("gateway_error") for _ in value["errors"]]
    elif not reports:
        return account_status_reports(entry, change, now)
    return [AddressedReport(report, target) for report in reports]


def _unexpected(report: Report) -> Report:
    if not isinstance(report, InboundMessage):
        return report
    if report.text is None:
        return Ignored("no_news")
    return UnexpectedMessage(report.gateway_message_id, report.recipient, report.text, report.at)


def _contact_number(value: UntrustedJson, user_id: str | None) -> CleanText | None:
    """The phone number of a user who is named by an id. If there is only one contact, it is this user."""
    contacts = [*value["contacts"]]
    of_user = [contact for contact in contacts if user_id is not None and contact["user_id"].text == user_id]
    (contact, *_) = [*of_user, *(contacts if len(contacts) == 1 else []), UntrustedJson(None)]
    return phone_number(contact["wa_id"].text)


def _messages(value: UntrustedJson, now: datetime) -> Iterator[Report]:
    for message in value["messages"]:
        # The message of a user with a username may lack the phone number.
        number = _contact_number(value, message["from_user_id"].text)
        sender, at = phone_number(message["from"].text) or number, not_after(now, message["timestamp"].timestamp)
        message_id = message["id"].id or clean_id(f"unnamed/{message.digest}")
        new = message["edit"]["message"]
        words = content(new if new.value else message)
        if "group_id" in message:
            yield Ignored("group")
        elif "system" in message or words is None:
            yield _system_preference(message, sender, at) or Ignored("no_news")
        elif sender is None:
            yield Ignored("no_number")
        elif new.value:
            yield EditedMessage(message_id, sender, words[1], at)
        else:
            yield InboundMessage(message_id, sender, *words, at)


def _system_preference(message: UntrustedJson, sender: CleanText | None, at: datetime) -> Report | None:
    """A customer's choice in the older form, as a message of the type `system`. None if it is another message."""
    choice = message["system"]["marketing"].text
    if sender is None or choice not in ("stop", "resume"):
        return None
    return MarketingPreference(sender, choice == "stop", clean(f"user_preferences/{message.digest}"), at)


def _statuses(value: UntrustedJson, now: datetime) -> Iterator[Report]:
    for item in value["statuses"]:
        status, message_id = RECEIPT_STATUSES.get(item["status"].text or ""), item["id"].id
        failure = _failure(item) if status == "failed" or "errors" in item else None
        at = not_after(now, item["timestamp"].timestamp)
        if failure is not None and failure.kind == "opted_out":
            yield from _opt_out_at_meta(value, item, at)
        if status is None or message_id is None:
            yield Ignored("no_news")
            continue
        is_failed = failure is not None and status == "failed"
        yield MessageReceipt(
            message_id,
            status,
            at,
            item["biz_opaque_callback_data"].id,
            failure=failure.kind if is_failed else None,
            code=failure.code if is_failed else None,
            reason=failure.reason if is_failed else None,
        )


def _opt_out_at_meta(value: UntrustedJson, status: UntrustedJson, at: datetime) -> Iterator[Report]:
    """A message failed because its recipient has stopped marketing messages of this business in WhatsApp."""
    number = phone_number(status["recipient_id"].text) or _contact_number(value, status["recipient_user_id"].text)
    if number is not None:
        yield MarketingPreference(number, True, clean(f"status/{status['id'].id or status.digest}"), at)


def _failure(status: UntrustedJson) -> failures.ReportedFailure:
    error = next((error for error in status["errors"] if "code" in error), UntrustedJson(None))
    details = error["error_data"]["details"].text or error["error_data"].text
    return failures.cloud_api_failure(error["code"].integer, details or error["message"].text or error["title"].text)


def _preferences(value: UntrustedJson, now: datetime) -> Iterator[Report]:
    for item in value["user_preferences"]:
        customer = phone_number(item["wa_id"].text) or _contact_number(value, item["user_id"].text)
        choice = item["value"].text
        if customer is None or choice not in ("stop", "resume"):
            yield Ignored("no_number" if customer is None else "no_news")
        else:
            at = not_after(now, item["timestamp"].timestamp)
            yield MarketingPreference(customer, choice == "stop", clean(f"user_preferences/{item.digest}"), at)
