"""WAHA engine: events of the client under WAHA, passed on unread: Baileys' (NOWEB) and whatsmeow's (GOWS)."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from ingress.core import failures
from ingress.core.reports import Nothing, Receipt, Said, Standing
from ingress.core.tree import Tree
from ingress.core.webhook_parsers import baileys
from ingress.core.webhook_parsers.linked_standing import Told, banned, capping, ended, time_lock
from spreader.contract.events import SessionState

_CONNECTIONS: Mapping[str, SessionState] = {"open": "working", "connecting": "starting"}


def engine_event(payload: Tree, name: str, at: datetime) -> Iterable[Said]:
    event, data = payload["event"].text or "", payload["data"]
    match event:
        case "connection.update":
            told = [*_connection(data, at)]
        case "message-capping.update":
            told = [capping(data)]
        case "messages.update":
            return [*_updates(data, at)] or [Nothing("no_news")]
        case _:
            told = [_of_whatsmeow(event.rpartition(".")[2], data, at)]
    known = [each for each in told if each is not None]
    return [_standing(each, f"{name}/{place}", at) for place, each in enumerate(known)] or [Nothing("unknown_event")]


def _standing(told: Told, name: str, at: datetime) -> Standing:
    return Standing(name, f"WAHA: {told.words}", at, told.session, None, told.restriction, told.quota, told.code)


def _connection(data: Tree, at: datetime) -> Iterator[Told]:
    if "reachoutTimeLock" in data:
        yield time_lock(data["reachoutTimeLock"])
    connection = data["connection"].text or ""
    if connection == "close":
        error = data["lastDisconnect"]["error"]
        yield ended(error["output"]["statusCode"].whole, error["data"], at)
    elif connection in _CONNECTIONS:
        yield Told(f"the connection is {connection}", connection, _CONNECTIONS[connection])


def _updates(data: Tree, at: datetime) -> Iterator[Said]:
    """How our messages fare; an error has its number here, which the plain event leaves out."""
    for each in data:
        key, update = each["key"], each["update"]
        name, reached = key["id"].text, baileys.REACHED.get(update["status"].text or "")
        if name is None or reached is None or key["fromMe"].flag is False:
            yield Nothing("no_news")
        elif baileys.is_group(key):
            yield Nothing("group")
        elif reached != "failed":
            yield Receipt(name[:256], reached, at)
        else:
            code, said = _parameters(update["messageStubParameters"])
            failure = failures.of_linked(code, said)
            yield Receipt(name[:256], reached, at, failure=failure.kind, code=failure.code, reason=failure.reason)


def _parameters(parameters: Tree) -> tuple[str | None, str | None]:
    texts = [Tree(each).text for each in parameters.value] if isinstance(parameters.value, list) else []
    return (texts[0] if texts else None), (texts[1] if len(texts) > 1 else None)


def _of_whatsmeow(event: str, data: Tree, at: datetime) -> Told | None:
    match event:
        case "TemporaryBan":
            return banned(data["Code"].whole, data["Expire"].whole, at)
        case "NotifyAccountReachoutTimelock":
            return time_lock(data)
        case "LoggedOut":
            return ended(401, Tree(None), at)
        case "ConnectFailure":
            return ended(data["Reason"].whole, Tree(None), at)
        case "Connected":
            return Told("the connection is open", event, "working")
        case _:
            return None
