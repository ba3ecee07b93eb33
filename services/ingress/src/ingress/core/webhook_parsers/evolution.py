"""Evolution parser: parses Evolution API's webhooks. Each call has one event, and a static header verifies the call.

The events of Evolution API have no id, and the time in an event is not reliable. The report of a customer's message or
of an echo gets the time that the message itself contains. Every other report gets the time of its arrival.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from ingress.core import failures
from ingress.core.reports import (
    CALLED_PROFILE,
    NUMBER_UNKNOWN,
    AddressedReport,
    Echo,
    EditedMessage,
    Ignored,
    InboundMessage,
    MessageReceipt,
    ProfileByAccount,
    Report,
    Target,
    UnexpectedMessage,
)
from ingress.core.signatures import equal_in_constant_time
from ingress.core.untrusted_json import UntrustedJson, not_after
from ingress.core.webhook_parsers import Refusal, Secrets, WebhookCall, baileys
from ingress.core.webhook_parsers.contact_ids import phone_of_jids
from ingress.core.webhook_parsers.linked_account_status import LinkedStatus, connection_ended
from spreader.contract.events import SessionState
from spreader.text.clean_text import CleanText, SafeText, clean_id

TOKEN_HEADER, TOKEN_PREFIX = "authorization", "Bearer "
TEMPORARY_BAN, TIMED_OUT = 402, 408

_STATES: Mapping[str, SessionState] = {"open": "working", "connecting": "starting"}
_NOT_SEARCHED = ("messages.set", "messages.edited", "messages.upsert")
"""Events in which the parser does not look for unexpected messages. In `messages.upsert` and `messages.edited`, every
item has been read as a message or an edit already. `messages.set` has old messages, which the gateway reads again after
linking."""
_NOT_CONNECTED_AGAIN = LinkedStatus(
    "the connection was lost, and the gateway does not connect again", str(TIMED_OUT), "stopped"
)
"""Evolution API 2.4 does not connect again after a time-out. 2.3 does, and does not report it."""
_UNLINKED = LinkedStatus("somebody must scan the code", session="unlinked")


class EvolutionParser:
    secret_name = "webhook_token"  # noqa: S105 - the name of the credential

    def refusal(self, call: WebhookCall, secrets: Secrets) -> Refusal | None:
        header = call.headers.get(TOKEN_HEADER)
        if header is None:
            return "no_signature"
        expected = f"{TOKEN_PREFIX}{secrets[self.secret_name]}"
        return None if equal_in_constant_time(expected, header) else "wrong_signature"

    def parse(self, body: bytes, now: datetime) -> list[AddressedReport]:
        event = UntrustedJson.parse(body)
        instance = event["instance"].id
        target: Target = CALLED_PROFILE if instance is None else ProfileByAccount(instance)
        reports = [*_reports(event, target, now)] or [AddressedReport(Ignored("no_news"), target)]
        if all(isinstance(each.report, Ignored) for each in reports) and _event_name(event) not in _NOT_SEARCHED:
            reports += _unexpected_messages(event, target, now)
        return reports


def _event_name(event: UntrustedJson) -> str:
    return (event["event"].text or "").lower().replace("_", ".")


def _reports(event: UntrustedJson, target: Target, now: datetime) -> Iterable[AddressedReport]:
    name, data = _event_name(event), event["data"]
    match name:
        case "messages.upsert":
            return [_addressed(_inbound_message(item, now), target, item) for item in data]
        case "messages.edited":
            return [_addressed(_edit(item, event["sender"].text, now), target, item) for item in data]
        case "messages.update":
            return [_addressed(_receipt(item, now), target, item) for item in data]
        case "send.message":
            return [_addressed(_echo(item, now), target, item) for item in data]
        case "connection.update":
            status = _connection(data, now)
        case "status.instance":
            status = _instance(data, now)
        case "qrcode.updated" | "logout.instance" | "remove.instance":
            status = _UNLINKED
        case _:
            return [AddressedReport(Ignored("unknown_event"), target)]
    if status is None:
        return [AddressedReport(Ignored("no_news"), target)]
    report_id = UntrustedJson([name, data.value, event["date_time"].value]).digest
    return [AddressedReport(status.reported_by("Evolution", report_id, now), target)]


def _addressed(report: Report, target: Target, item: UntrustedJson) -> AddressedReport:
    return AddressedReport(report, target, _hidden_id(item))


def _hidden_id(item: UntrustedJson) -> CleanText | None:
    return baileys.hidden_id_of_key(item["key"]) or baileys.hidden_id_of_key(item)


def _customer(item: UntrustedJson) -> SafeText | None:
    """The customer's phone number, or `NUMBER_UNKNOWN` if there is only a hidden id. None if there is neither."""
    number = baileys.phone_of_key(item["key"]) or baileys.phone_of_key(item)
    return number or (None if _hidden_id(item) is None else NUMBER_UNKNOWN)


def _inbound_message(message: UntrustedJson, now: datetime) -> Report:
    key = message["key"]
    message_id = key["id"].id or clean_id(f"unnamed/{message.digest}")
    edited = baileys.edited_content(message["message"])
    words = edited or baileys.content(message["message"])
    if key["fromMe"].boolean or words is None:
        return Ignored("no_news")
    if baileys.is_group(key):
        return Ignored("group")
    sender = _customer(message)
    if sender is None:
        return Ignored("no_news" if key["id"].id is None else "no_number")
    at = not_after(now, _sent_at(message))
    if edited is not None:
        return EditedMessage(message_id, sender, edited[1], at)
    return InboundMessage(message_id, sender, *words, at)


def _unexpected_messages(event: UntrustedJson, target: Target, now: datetime) -> Iterator[AddressedReport]:
    """Yields the texts of customers in an event in which no messages are expected."""
    for item in event["data"]:
        for report in (_inbound_message(item, now), _edit(item, event["sender"].text, now)):
            if isinstance(report, (InboundMessage, EditedMessage)) and report.text is not None:
                unexpected = UnexpectedMessage(report.gateway_message_id, report.recipient, report.text, report.at)
                yield _addressed(unexpected, target, item)


def _edit(change: UntrustedJson, own_jid: str | None, now: datetime) -> Report:
    """A customer's change of a message. The customer's app has written the key of the change, so the number in the key
    may be ours instead of the customer's. Then the change is ignored, because the customer is not known."""
    key, edited = change["key"], baileys.content(change["editedMessage"])
    message_id = key["id"].id or clean_id(f"unnamed/{change.digest}")
    customer = _customer(change)
    if edited is None:
        return Ignored("no_news")
    if baileys.is_group(key):
        return Ignored("group")
    if customer is None or customer == phone_of_jids([own_jid]):
        return Ignored("no_number")
    return EditedMessage(message_id, customer, edited[1], not_after(now, change["timestampMs"].timestamp))


def _echo(message: UntrustedJson, now: datetime) -> Report:
    key = message["key"]
    message_id, recipient = key["id"].id, _customer(message)
    if message_id is None or key["fromMe"].boolean is False:
        return Ignored("no_news")
    if recipient is None or baileys.is_group(key):
        return Ignored("group" if baileys.is_group(key) else "no_number")
    return Echo(message_id, recipient, not_after(now, _sent_at(message)))


def _sent_at(message: UntrustedJson) -> datetime | None:
    """When the message was sent. Evolution API gives the Unix time in seconds as a number or as a Long of JavaScript. A
    Long is an object whose member `low` is the number."""
    timestamp = message["messageTimestamp"]
    return timestamp.timestamp or timestamp["low"].timestamp


def _receipt(update: UntrustedJson, now: datetime) -> Report:
    message_id = update["keyId"].id or update["key"]["id"].id
    from_me = update["fromMe"].boolean if "fromMe" in update else update["key"]["fromMe"].boolean
    status = baileys.RECEIPT_STATUSES.get(update["status"].text or update["update"]["status"].text or "")
    if message_id is None or status is None or from_me is False:
        return Ignored("no_news")
    if baileys.is_group(update) or baileys.is_group(update["key"]):
        return Ignored("group")
    if status != "failed":
        return MessageReceipt(message_id, status, now)
    failure = failures.linked_device_failure(None)
    return MessageReceipt(message_id, status, now, failure=failure.kind, code=failure.code, reason=failure.reason)


def _connection(data: UntrustedJson, now: datetime) -> LinkedStatus | None:
    state, code = data["state"].text or "?", data["statusReason"].integer
    if state in _STATES:
        return LinkedStatus(f"the connection is {state}", state, _STATES[state])
    if state == "refused":
        return LinkedStatus("nobody scanned the code in time", "refused", "unlinked")
    if state == "close" and code == TEMPORARY_BAN:  # `status.instance` has the length of the ban
        return LinkedStatus("the account is banned for a while", str(code), "failed")
    if state == "close" and code == TIMED_OUT:
        return _NOT_CONNECTED_AGAIN
    return connection_ended(code, UntrustedJson(None), now) if state == "close" else None


def _instance(data: UntrustedJson, now: datetime) -> LinkedStatus | None:
    """The status of a connection that has ended for good, with WhatsApp's reason. None if the event says something
    else."""
    if data["status"].text != "closed":
        return None
    error = data["disconnectionObject"].embedded["error"]
    code = data["disconnectionReasonCode"].integer or error["output"]["statusCode"].integer
    if code == TIMED_OUT:
        return _NOT_CONNECTED_AGAIN
    return connection_ended(code, error["data"], now)
