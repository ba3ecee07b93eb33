"""Cloud standing: what Meta says of accounts and numbers: restrictions, quality, limits, alerts, templates."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from ingress.core.reports import ADDRESSED, HOLDER, Account, Nothing, Number, Report, Standing, Whom
from ingress.core.tree import Tree, not_after
from ingress.core.webhook_parsers.people import display_phone
from spreader.contract.events import Quality, Restriction

OPENING = "RESTRICTED_BIZ_INITIATED_MESSAGING"
ANSWERING = "RESTRICTED_CUSTOMER_INITIATED_MESSAGING"
STOPPED = frozenset({"ACCOUNT_VIOLATION", "ACCOUNT_DELETED", "ACCOUNT_OFFBOARDED"})
"""Events of `account_update` after which nothing goes through the account."""
QUALITY: dict[str, Quality] = {"FLAGGED": "red", "UNFLAGGED": "yellow"}
"""Of the older event: Meta says that quality is low, and that it is no longer; the number itself is polled."""
LIMITS = ("max_daily_conversations_per_business", "max_daily_conversation_per_phone", "current_limit")


def standings(entry: Tree, change: Tree, now: datetime) -> Iterable[Report]:
    value, field = change["value"], change["field"].text
    at = not_after(now, entry["time"].moment)
    name = Tree([entry["id"].value, entry["time"].value, change.value]).digest
    match field:
        case "account_update":
            return [_account_update(value, name, at)]
        case "phone_number_quality_update":
            return [_quality(value, name, at)]
        case "business_capability_update":
            words = f"Meta: the business may open {_limit(value)} conversations a day"
            return [Report(Standing(f"{field}/{name}", words, at), HOLDER)]
        case "account_alerts":
            return [_alert(value, name, at)]
        case "message_template_status_update" | "message_template_quality_update":
            return [_template(value, field, name, at)]
        case _:
            return [Report(Nothing("unknown_event"))]


def _account_update(value: Tree, name: str, at: datetime) -> Report:
    event = value["event"].text or "?"

    def standing(words: str, **what: Any) -> Report:
        return Report(Standing(f"account_update/{name}", f"Meta: {words}", at, code=event, **what), HOLDER)

    if event == "ACCOUNT_RESTRICTION":
        restriction = _restriction(value)
        kinds = ", ".join(each["restriction_type"].text or "?" for each in value["restriction_info"])
        return standing(f"the account is restricted ({kinds})", restriction=restriction)
    if event in STOPPED:
        kind = value["violation_info"]["violation_type"].text
        words = f"{event.lower().replace('_', ' ')}{f' ({kind})' if kind else ''}"
        return standing(words, restriction=Restriction(lanes=("open", "reply"), failure="account"))
    if event == "DISABLED_UPDATE":
        state = value["ban_info"]["waba_ban_state"].text or "?"
        lanes = () if state == "REINSTATE" else ("open", "reply")
        words = f"the account is to be disabled or is ({state})" if lanes else "the account is let in again (REINSTATE)"
        return standing(words, restriction=Restriction(lanes=lanes, failure="account"))
    if event == "ACCOUNT_RECONNECTED":
        return standing("the account is connected again", restriction=Restriction(lanes=(), failure="account"))
    return Report(Nothing("no_news"))


def _restriction(value: Tree) -> Restriction | None:
    """None: it restricts something else than messages."""
    ends = {each["restriction_type"].text: each["expiration"].moment for each in value["restriction_info"]}
    if ANSWERING in ends:
        return Restriction(lanes=("open", "reply"), failure="account", until=ends[ANSWERING])
    if OPENING in ends:
        return Restriction(lanes=("open",), failure="restricted", until=ends[OPENING])
    return None


def _quality(value: Tree, name: str, at: datetime) -> Report:
    event, number = value["event"].text or "?", display_phone(value["display_phone_number"].text)
    limit = f", may open {_limit(value)} conversations a day" if any(each in value for each in LIMITS) else ""
    said = Standing(
        f"phone_number_quality_update/{name}", f"Meta: {event} of the number{limit}", at,
        quality=QUALITY.get(event), code=event,
    )  # fmt: skip
    return Report(said, ADDRESSED if number is None else Number(number))


def _alert(value: Tree, name: str, at: datetime) -> Report:
    alert, whose = value["alert_info"], value["entity_id"].text
    kind, severity = alert["alert_type"].text or "?", alert["alert_severity"].text or "?"
    status = alert["alert_status"].text or "?"
    words = f"Meta: alert {kind}, {severity.lower()}, {status.lower()}"
    of_number = value["entity_type"].text == "PHONE_NUMBER" and whose is not None
    whom: Whom = Account(whose) if of_number and whose is not None else HOLDER
    return Report(Standing(f"account_alerts/{name}", words, at, code=kind), whom)


def _template(value: Tree, field: str, name: str, at: datetime) -> Report:
    template = f"{value['message_template_name'].text or '?'} ({value['message_template_language'].text or '?'})"
    if field == "message_template_status_update":
        event, reason = value["event"].text or "?", value["reason"].text
        words = f"template {template} is {event.lower()}{f': {reason}' if reason and reason != 'NONE' else ''}"
        return Report(Standing(f"{field}/{name}", f"Meta: {words}", at, code=f"template {event}"))
    before, after = value["previous_quality_score"].text or "?", value["new_quality_score"].text or "?"
    words = f"the quality of template {template} went from {before} to {after}"
    return Report(Standing(f"{field}/{name}", f"Meta: {words}", at, code=f"template quality {after}"))


def _limit(value: Tree) -> str:
    return next((text for each in LIMITS if (text := value[each].text)), "?").removeprefix("TIER_")
