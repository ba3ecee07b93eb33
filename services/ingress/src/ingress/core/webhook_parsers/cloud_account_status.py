"""Cloud account status: Meta's reports on the restrictions, quality, limits, alerts and templates of accounts.

Format: https://developers.facebook.com/docs/graph-api/webhooks/reference/whatsapp-business-account
"""

from collections.abc import Iterable
from datetime import datetime

from ingress.core.reports import (
    CALLED_PROFILE,
    PROFILES_OF_HOLDER,
    AccountStatusReport,
    AddressedReport,
    Ignored,
    ProfileByAccount,
    ProfileByPhone,
    Target,
)
from ingress.core.untrusted_json import UntrustedJson, not_after
from ingress.core.webhook_parsers.contact_ids import displayed_phone_number
from spreader.contract.events import Quality, Restriction
from spreader.text.clean_text import clean, clean_id

OPEN_RESTRICTED = "RESTRICTED_BIZ_INITIATED_MESSAGING"
REPLY_RESTRICTED = "RESTRICTED_CUSTOMER_INITIATED_MESSAGING"
STOPPING_EVENTS = frozenset({"ACCOUNT_VIOLATION", "ACCOUNT_DELETED", "ACCOUNT_OFFBOARDED"})
"""Events of `account_update` after which the account cannot send at all."""
QUALITIES: dict[str, Quality] = {"FLAGGED": "red", "UNFLAGGED": "yellow"}
"""The quality that follows from each event of `phone_number_quality_update`.

Such an event says that a time of low quality begins or ends. The event does not contain the exact quality. The sender
asks Meta for it regularly.
"""
LIMIT_MEMBERS = ("max_daily_conversations_per_business", "max_daily_conversation_per_phone", "current_limit")


def account_status_reports(entry: UntrustedJson, change: UntrustedJson, now: datetime) -> Iterable[AddressedReport]:
    value, field = change["value"], change["field"].text
    at = not_after(now, entry["time"].timestamp)
    digest = UntrustedJson([entry["id"].value, entry["time"].value, change.value]).digest
    match field:
        case "account_update":
            return [_account_update(value, digest, at)]
        case "phone_number_quality_update":
            return [_quality(value, digest, at)]
        case "business_capability_update":
            evidence = f"Meta: the business may open {_limit(value)}"
            return [
                AddressedReport(
                    AccountStatusReport(clean_id(f"{field}/{digest}"), clean(evidence), at), PROFILES_OF_HOLDER
                )
            ]
        case "account_alerts":
            return [_alert(value, digest, at)]
        case "message_template_status_update" | "message_template_quality_update" | "template_category_update":
            return [_template(value, field, digest, at)]
        case _:
            return [AddressedReport(Ignored("unknown_event"))]


def _account_update(value: UntrustedJson, digest: str, at: datetime) -> AddressedReport:
    event = value["event"].text or "?"

    def report(evidence: str, restriction: Restriction | None) -> AddressedReport:
        status = AccountStatusReport(
            clean_id(f"account_update/{digest}"),
            clean(f"Meta: {evidence}"),
            at,
            code=clean_id(event),
            restriction=restriction,
        )
        return AddressedReport(status, PROFILES_OF_HOLDER)

    if event == "ACCOUNT_RESTRICTION":
        kinds = ", ".join(info["restriction_type"].text or "?" for info in value["restriction_info"])
        return report(f"the account is restricted ({kinds})", _restriction(value))
    if event in STOPPING_EVENTS:
        kind = value["violation_info"]["violation_type"].text
        evidence = f"{event.lower().replace('_', ' ')}{f' ({kind})' if kind else ''}"
        return report(evidence, Restriction(lanes=("open", "reply"), failure="account"))
    if event == "DISABLED_UPDATE":
        state = value["ban_info"]["waba_ban_state"].text or "?"
        if state == "REINSTATE":
            return report("the account is let in again (REINSTATE)", Restriction(lanes=(), failure="account"))
        evidence = f"the account is to be disabled or is ({state})"
        return report(evidence, Restriction(lanes=("open", "reply"), failure="account"))
    if event == "ACCOUNT_RECONNECTED":
        return report("the account is connected again", Restriction(lanes=(), failure="account"))
    return AddressedReport(Ignored("no_news"))


def _restriction(value: UntrustedJson) -> Restriction | None:
    """The restriction of messaging, or None if something else is restricted."""
    ends: dict[str | None, datetime | None] = {
        info["restriction_type"].text: info["expiration"].timestamp for info in value["restriction_info"]
    }
    if REPLY_RESTRICTED in ends:
        return Restriction(lanes=("open", "reply"), failure="account", until=ends[REPLY_RESTRICTED])
    if OPEN_RESTRICTED in ends:
        return Restriction(lanes=("open",), failure="restricted", until=ends[OPEN_RESTRICTED])
    return None


def _quality(value: UntrustedJson, digest: str, at: datetime) -> AddressedReport:
    event, number = value["event"].text or "?", displayed_phone_number(value["display_phone_number"].text)
    limit = f", may open {_limit(value)}" if any(name in value for name in LIMIT_MEMBERS) else ""
    status = AccountStatusReport(
        clean_id(f"phone_number_quality_update/{digest}"),
        clean(f"Meta: {event} of the number{limit}"),
        at,
        quality=QUALITIES.get(event),
        code=clean_id(event),
    )
    return AddressedReport(status, CALLED_PROFILE if number is None else ProfileByPhone(number))


def _alert(value: UntrustedJson, digest: str, at: datetime) -> AddressedReport:
    alert, entity_id = value["alert_info"], value["entity_id"].id
    kind, severity = alert["alert_type"].text or "?", alert["alert_severity"].text or "?"
    status = alert["alert_status"].text or "?"
    evidence = f"Meta: alert {kind}, {severity.lower()}, {status.lower()}"
    is_of_number = value["entity_type"].text == "PHONE_NUMBER"
    target: Target = ProfileByAccount(entity_id) if is_of_number and entity_id is not None else PROFILES_OF_HOLDER
    return AddressedReport(_status(f"account_alerts/{digest}", evidence, at, kind), target)


def _template(value: UntrustedJson, field: str, digest: str, at: datetime) -> AddressedReport:
    template = f"{value['message_template_name'].text or '?'} ({value['message_template_language'].text or '?'})"
    report_id = f"{field}/{digest}"
    if field == "message_template_status_update":
        event, reason = value["event"].text or "?", value["reason"].text
        evidence = f"template {template} is {event.lower()}{f': {reason}' if reason and reason != 'NONE' else ''}"
        return AddressedReport(_status(report_id, f"Meta: {evidence}", at, f"template {event}"))
    if field == "template_category_update":
        old, new = value["previous_category"].text or "?", value["new_category"].text or "?"
        evidence = f"template {template} went from the category {old} to {new}, which changes its price and its caps"
        return AddressedReport(_status(report_id, f"Meta: {evidence}", at, f"template category {new}"))
    before, after = value["previous_quality_score"].text or "?", value["new_quality_score"].text or "?"
    evidence = f"the quality of template {template} went from {before} to {after}"
    return AddressedReport(_status(report_id, f"Meta: {evidence}", at, f"template quality {after}"))


def _status(report_id: str, evidence: str, at: datetime, code: str) -> AccountStatusReport:
    return AccountStatusReport(clean_id(report_id), clean(evidence), at, code=clean_id(code))


def _limit(value: UntrustedJson) -> str:
    limit = next((text for name in LIMIT_MEMBERS if (text := value[name].text)), "?").removeprefix("TIER_")
    return "any number of conversations" if limit in ("-1", "UNLIMITED") else f"{limit} conversations a day"
