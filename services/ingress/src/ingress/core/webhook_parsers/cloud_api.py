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
)
from ingress.core.signatures import equal_in_constant_time, is_valid_hmac
from ingress.core.untrusted_json import UntrustedJson, not_after
from ingress.core.webhook_parsers import Refusal, Secrets, WebhookCall
from ingress.core.webhook_parsers.cloud_account_status import account_status_reports
from ingress.core.webhook_parsers.contact_ids import phone_number
from spreader.text.clean_text import CleanText, SafeText, clean

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
    if field == "messages":
        errors = [Ignored("gateway_error") for _ in value["errors"]]
        reports: list[Report] = [*_messages(value, now), *_statuses(value, now), *errors]
        return [AddressedReport(report, target) for report in reports]
    if field == "user_preferences":
        return [AddressedReport(report, target) for report in _preferences(value, now)]
    return account_status_reports(entry, change, now)


def _messages(value: UntrustedJson, now: datetime) -> Iterator[Report]:
    contacts = [contact["wa_id"].text for contact in value["contacts"]]
    for message in value["messages"]:
        # The message of a user with a username may lack the phone number. If there is only one contact, it is the
        # sender.
        sender = phone_number(message["from"].text) or phone_number(contacts[0] if len(contacts) == 1 else None)
        message_id, meta_type = message["id"].id, message["type"].text or "unknown"
        if meta_type in ("system", "revoke") or message_id is None:
            yield Ignored("no_news")
        elif "group_id" in message:
            yield Ignored("group")
        elif sender is None:
            yield Ignored("no_number")
        elif meta_type == "edit":
            new = message["edit"]["message"]
            _, text = _content(new["type"].text or "text", new)
            yield EditedMessage(message_id, sender, text, not_after(now, message["timestamp"].timestamp))
        else:
            kind, text = _content(meta_type, message)
            yield InboundMessage(message_id, sender, kind, text, not_after(now, message["timestamp"].timestamp))


def _content(meta_type: SafeText, message: UntrustedJson) -> tuple[SafeText, CleanText | None]:
    """The kind of the message in our terms, and the message's text."""
    part = message[meta_type]
    match meta_type:
        case "text":
            return meta_type, part["body"].text
        case "image" | "video" | "document":
            return meta_type, part["caption"].text
        case "audio":
            return ("voice" if part["voice"].boolean else "audio"), None
        case "button":
            return meta_type, part["text"].text
        case "interactive":
            chosen = next((part[name] for name in ("button_reply", "list_reply", "nfm_reply") if name in part), part)
            return meta_type, chosen["title"].text or chosen["body"].text
        case "reaction":
            return meta_type, part["emoji"].text
        case "location":
            return meta_type, part["name"].text or part["address"].text
        case "order":
            return meta_type, part["text"].text
        case "sticker" | "contacts":
            return meta_type, None
        case _:
            return "unknown", None


def _statuses(value: UntrustedJson, now: datetime) -> Iterator[Report]:
    for item in value["statuses"]:
        status, message_id = RECEIPT_STATUSES.get(item["status"].text or ""), item["id"].id
        if status is None or message_id is None:
            yield Ignored("no_news")
            continue
        failure = _failure(item) if status == "failed" else None
        yield MessageReceipt(
            message_id,
            status,
            not_after(now, item["timestamp"].timestamp),
            item["biz_opaque_callback_data"].id,
            failure=failure.kind if failure else None,
            code=failure.code if failure else None,
            reason=failure.reason if failure else None,
        )


def _failure(status: UntrustedJson) -> failures.ReportedFailure:
    error = next(iter(status["errors"]), UntrustedJson(None))
    details = error["error_data"]["details"].text or error["error_data"].text
    return failures.cloud_api_failure(error["code"].integer, details or error["message"].text or error["title"].text)


def _preferences(value: UntrustedJson, now: datetime) -> Iterator[Report]:
    contacts = [contact["wa_id"].text for contact in value["contacts"]]
    for item in value["user_preferences"]:
        customer = phone_number(item["wa_id"].text) or phone_number(contacts[0] if len(contacts) == 1 else None)
        choice = item["value"].text
        if customer is None or choice not in ("stop", "resume"):
            yield Ignored("no_number" if customer is None else "no_news")
        else:
            at = not_after(now, item["timestamp"].timestamp)
            yield MarketingPreference(customer, choice == "stop", clean(f"user_preferences/{item.digest}"), at)
