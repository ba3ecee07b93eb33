"""WAHA engine: events that WAHA passes on from the WhatsApp client inside it. The client of WAHA's engine NOWEB is
Baileys, and the client of its engine GOWS is whatsmeow."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from ingress.core import failures
from ingress.core.reports import Ignored, MessageReceipt, Report
from ingress.core.untrusted_json import UntrustedJson
from ingress.core.webhook_parsers import baileys
from ingress.core.webhook_parsers.linked_account_status import (
    LinkedStatus,
    connection_ended,
    new_chat_quota,
    temporary_ban,
    time_lock,
)
from spreader.contract.events import SessionState

_CONNECTIONS: Mapping[str, SessionState] = {"open": "working", "connecting": "starting"}


def engine_event(payload: UntrustedJson, event_id: str, at: datetime) -> Iterable[Report]:
    event, data = payload["event"].text or "", payload["data"]
    statuses: list[LinkedStatus | None]
    match event:
        case "connection.update":
            statuses = [*_connection(data, at)]
        case "message-capping.update" | "gows.MessageCapping":
            statuses = [new_chat_quota(data)]
        case "messages.update":
            return [*_receipts(data, at)] or [Ignored("no_news")]
        case _:
            statuses = [_whatsmeow_status(event.rpartition(".")[2], data, at)]
    relevant = [status for status in statuses if status is not None]
    reports = [status.reported_by("WAHA", f"{event_id}/{index}", at) for index, status in enumerate(relevant)]
    return reports or [Ignored("unknown_event")]


def _connection(data: UntrustedJson, at: datetime) -> Iterator[LinkedStatus]:
    if "reachoutTimeLock" in data:
        yield time_lock(data["reachoutTimeLock"])
    connection = data["connection"].text or ""
    if connection == "close":
        error = data["lastDisconnect"]["error"]
        yield connection_ended(error["output"]["statusCode"].integer, error["data"], at)
    elif connection in _CONNECTIONS:
        yield LinkedStatus(f"the connection is {connection}", connection, _CONNECTIONS[connection])


def _receipts(data: UntrustedJson, at: datetime) -> Iterator[Report]:
    """Yields the receipts of our messages. The receipt of a failure has WhatsApp's error code, which WAHA's own event
    `message.ack` lacks."""
    for item in data:
        key, update = item["key"], item["update"]
        message_id, status = key["id"].id, baileys.RECEIPT_STATUSES.get(update["status"].text or "")
        if message_id is None or status is None or key["fromMe"].boolean is False:
            yield Ignored("no_news")
        elif baileys.is_group(key):
            yield Ignored("group")
        elif status != "failed":
            yield MessageReceipt(message_id, status, at)
        else:
            failure = failures.linked_device_failure(*_code_and_details(update["messageStubParameters"]))
            yield MessageReceipt(message_id, status, at, failure=failure.kind, code=failure.code, reason=failure.reason)


def _code_and_details(parameters: UntrustedJson) -> tuple[str | None, str | None]:
    """The code and the details of an error. They are the first two parameters. A missing parameter is None."""
    items = parameters.value if isinstance(parameters.value, list) else []
    texts = [UntrustedJson(item).text for item in items]
    return (texts[0] if texts else None), (texts[1] if len(texts) > 1 else None)


def _whatsmeow_status(event: str, data: UntrustedJson, at: datetime) -> LinkedStatus | None:
    match event:
        case "TemporaryBan":
            return temporary_ban(data["Code"].integer, data["Expire"].integer, at)
        case "NotifyAccountReachoutTimelock":
            return time_lock(data)
        case "LoggedOut":
            return connection_ended(401, UntrustedJson(None), at)
        case "ConnectFailure":
            return connection_ended(data["Reason"].integer, UntrustedJson(None), at)
        case "Connected":
            return LinkedStatus("the connection is open", event, "working")
        case _:
            return None
