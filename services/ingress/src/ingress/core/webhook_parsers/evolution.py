"""Evolution API: one event a call, under a static header. It has no id and no true time: what arrives, arrives now."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime

from ingress.core import failures
from ingress.core.reports import ADDRESSED, Account, Echo, Nothing, Receipt, Report, Said, Standing, Whom, Words
from ingress.core.signatures import equal
from ingress.core.tree import Tree, not_after
from ingress.core.webhook_parsers import Call, Refusal, Secrets, baileys
from ingress.core.webhook_parsers.linked_standing import Told, ended
from spreader.contract.events import SessionState

TOKEN, SCHEME = "authorization", "Bearer "
TEMPORARY_BAN = 402

_STATES: Mapping[str, SessionState] = {"open": "working", "connecting": "starting"}
_SCAN = Told("somebody must scan the code", session="unlinked")


class Evolution:
    secret = "webhook_token"  # noqa: S105 - its name

    def refusal(self, call: Call, secrets: Secrets) -> Refusal | None:
        shown = call.headers.get(TOKEN)
        if shown is None:
            return "no_signature"
        return None if equal(f"{SCHEME}{secrets[self.secret]}", shown) else "wrong_signature"

    def reports(self, body: bytes, now: datetime) -> list[Report]:
        event = Tree.read(body)
        instance = event["instance"].text
        whom: Whom = ADDRESSED if instance is None else Account(instance)
        return [Report(said, whom) for said in _said(event, now)] or [Report(Nothing("no_news"), whom)]


def _said(event: Tree, now: datetime) -> Iterable[Said]:
    name, data = (event["event"].text or "").lower().replace("_", "."), event["data"]
    match name:
        case "messages.upsert":
            return [_words(each, now) for each in data]
        case "messages.update":
            return [_receipt(each, now) for each in data]
        case "send.message":
            return [_echo(each, now) for each in data]
        case "connection.update":
            told = _connection(data, now)
        case "status.instance":
            told = _instance(data, now)
        case "qrcode.updated" | "logout.instance" | "remove.instance":
            told = _SCAN
        case _:
            return [Nothing("unknown_event")]
    if told is None:
        return [Nothing("no_news")]
    report_id = Tree([name, data.value, event["date_time"].value]).digest
    said = Standing(report_id, f"Evolution: {told.words}", now, told.session, None, told.restriction, None, told.code)
    return [said]


def _words(message: Tree, now: datetime) -> Said:
    key = message["key"]
    name, told = key["id"].text, baileys.content(message["message"])
    if name is None or key["fromMe"].flag or told is None:
        return Nothing("no_news")
    if baileys.is_group(key):
        return Nothing("group")
    sender = baileys.person(key) or baileys.person(message)
    if sender is None:
        return Nothing("no_number")
    return Words(name[:256], sender, *told, not_after(now, _sent_at(message)))


def _echo(message: Tree, now: datetime) -> Said:
    key = message["key"]
    name, recipient = key["id"].text, baileys.person(key) or baileys.person(message)
    if name is None or key["fromMe"].flag is False:
        return Nothing("no_news")
    if recipient is None:
        return Nothing("group" if baileys.is_group(key) else "no_number")
    return Echo(name[:256], recipient, not_after(now, _sent_at(message)))


def _sent_at(message: Tree) -> datetime | None:
    """Seconds; or the two halves that JavaScript makes of a long number."""
    stamp = message["messageTimestamp"]
    return stamp.moment or stamp["low"].moment


def _receipt(update: Tree, now: datetime) -> Said:
    name = update["keyId"].text or update["key"]["id"].text
    from_me = update["fromMe"].flag if "fromMe" in update else update["key"]["fromMe"].flag
    reached = baileys.REACHED.get(update["status"].text or update["update"]["status"].text or "")
    if name is None or reached is None or from_me is False:
        return Nothing("no_news")
    if baileys.is_group(update) or baileys.is_group(update["key"]):
        return Nothing("group")
    if reached != "failed":
        return Receipt(name[:256], reached, now)
    failure = failures.of_linked(None)
    return Receipt(name[:256], reached, now, failure=failure.kind, code=failure.code, reason=failure.reason)


def _connection(data: Tree, now: datetime) -> Told | None:
    state, reason = data["state"].text or "?", data["statusReason"].whole
    if state in _STATES:
        return Told(f"the connection is {state}", state, _STATES[state])
    if state == "refused":
        return Told("nobody scanned the code in time", "refused", "unlinked")
    if state == "close" and reason == TEMPORARY_BAN:  # how long it lasts stands in `status.instance`
        return Told("the account is banned for a while", str(reason), "failed")
    return ended(reason, Tree(None), now) if state == "close" else None


def _instance(data: Tree, now: datetime) -> Told | None:
    """The end of a connection that Evolution does not open again, with what WhatsApp said of it."""
    if data["status"].text != "closed":
        return None
    error = Tree(_object(data["disconnectionObject"].text))["error"]
    code = data["disconnectionReasonCode"].whole or error["output"]["statusCode"].whole
    return ended(code, error["data"], now)


def _object(text: str | None) -> object:
    try:
        return json.loads(text or "null")
    except ValueError:
        return None
