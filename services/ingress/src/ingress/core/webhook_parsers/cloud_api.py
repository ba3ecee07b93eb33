"""Cloud API: Meta's webhooks: several accounts, changes, messages and statuses in one signed body."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from ingress.core import failures
from ingress.core.reports import ADDRESSED, Account, Nothing, Reached, Receipt, Report, Said, Whom, Wish, Words
from ingress.core.signatures import equal, signs
from ingress.core.tree import Tree, not_after
from ingress.core.webhook_parsers import Call, Refusal, Secrets
from ingress.core.webhook_parsers.cloud_standing import standings
from ingress.core.webhook_parsers.people import phone

SIGNATURE = "x-hub-signature-256"
PREFIX = "sha256="

STATUSES: Mapping[str, Reached] = {
    "sent": "acknowledged", "delivered": "delivered", "read": "read", "played": "read", "failed": "failed",
}  # fmt: skip


class CloudApi:
    secret = "app_secret"  # noqa: S105 - its name

    def refusal(self, call: Call, secrets: Secrets) -> Refusal | None:
        shown = call.headers.get(SIGNATURE)
        if shown is None:
            return "no_signature"
        right = shown.startswith(PREFIX) and signs(secrets[self.secret], call.body, shown[len(PREFIX) :], "sha256")
        return None if right else "wrong_signature"

    def reports(self, body: bytes, now: datetime) -> list[Report]:
        return [
            report
            for entry in Tree.read(body)["entry"]
            for change in entry["changes"]
            for report in _of_change(entry, change, now)
        ]


def verified(query: Mapping[str, str], secrets: Secrets) -> bool:
    """Whether Meta's question at the set-up of a webhook shows our verify token."""
    shown = query.get("hub.verify_token", "")
    return query.get("hub.mode") == "subscribe" and equal(secrets["verify_token"], shown)


def _of_change(entry: Tree, change: Tree, now: datetime) -> Iterable[Report]:
    value, field = change["value"], change["field"].text
    account = value["metadata"]["phone_number_id"].text
    whom: Whom = ADDRESSED if account is None else Account(account)
    if field == "messages":
        said: list[Said] = [*_messages(value, now), *_statuses(value, now)]
        return [Report(each, whom) for each in said]
    if field == "user_preferences":
        return [Report(each, whom) for each in _preferences(value, now)]
    return standings(entry, change, now)


def _messages(value: Tree, now: datetime) -> Iterator[Said]:
    known = [contact["wa_id"].text for contact in value["contacts"]]
    for message in value["messages"]:
        # A user with a name may show no number beside the message; where there is one person, it is theirs.
        sender = phone(message["from"].text) or phone(known[0] if len(known) == 1 else None)
        name, kind = message["id"].text, message["type"].text or "unknown"
        if kind == "system" or name is None:
            yield Nothing("no_news")
        elif sender is None:
            yield Nothing("no_number")
        else:
            shown, text = _content(kind, message)
            yield Words(name[:256], sender, shown, text, not_after(now, message["timestamp"].moment))


def _content(kind: str, message: Tree) -> tuple[str, str | None]:
    """What kind of message it is, in our words, and what it says."""
    part = message[kind]
    match kind:
        case "text":
            return kind, part["body"].text
        case "image" | "video" | "document":
            return kind, part["caption"].text
        case "audio":
            return ("voice" if part["voice"].flag else "audio"), None
        case "button":
            return kind, part["text"].text
        case "interactive":
            chosen = next((part[name] for name in ("button_reply", "list_reply", "nfm_reply") if name in part), part)
            return kind, chosen["title"].text or chosen["body"].text
        case "reaction":
            return kind, part["emoji"].text
        case "location":
            return kind, part["name"].text or part["address"].text
        case "order":
            return kind, part["text"].text
        case "sticker" | "contacts":
            return kind, None
        case _:
            return "unknown", None


def _statuses(value: Tree, now: datetime) -> Iterator[Said]:
    for status in value["statuses"]:
        reached, name = STATUSES.get(status["status"].text or ""), status["id"].text
        if reached is None or name is None:
            yield Nothing("no_news")
            continue
        at, delivery_id = not_after(now, status["timestamp"].moment), status["biz_opaque_callback_data"].text
        failure = _failure(status) if reached == "failed" else None
        yield Receipt(
            name[:256], reached, at, delivery_id,
            failure=failure.kind if failure else None,
            code=failure.code if failure else None,
            reason=failure.reason if failure else None,
        )  # fmt: skip


def _failure(status: Tree) -> failures.Failure:
    error = next(iter(status["errors"]), Tree(None))
    details = error["error_data"]["details"].text or error["error_data"].text
    return failures.of_cloud_api(error["code"].whole, details or error["message"].text or error["title"].text)


def _preferences(value: Tree, now: datetime) -> Iterator[Said]:
    for preference in value["user_preferences"]:
        customer, wish = phone(preference["wa_id"].text), preference["value"].text
        if customer is None or wish not in ("stop", "resume"):
            yield Nothing("no_number" if customer is None else "no_news")
        else:
            at = not_after(now, preference["timestamp"].moment)
            yield Wish(customer, wish == "stop", f"user_preferences/{preference.digest}", at)
