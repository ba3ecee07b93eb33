"""Alert groups: critical ones first, true counts, and the operator's words."""

from datetime import UTC, datetime
from typing import Any

from console.core.api_models import ApiAlert
from console.core.words.alert_groups import KINDS, AlertFilter, groups, title, unacknowledged
from console.core.words.causes import cause, readable

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def alert(number: int, kind: str, **other: Any) -> ApiAlert:
    known: dict[str, Any] = {"severity": "warning", "state": "raised", "package_id": "shop", "evidence": "10 of 47"}
    return ApiAlert(alert_id=f"alr_{number}", profile_id=f"demo-{number}", kind=kind, raised_at=NOON, **known | other)


NIGHTS = [alert(number, "night", state="acknowledged" if number < 3 else "raised") for number in range(250)]
SESSION = alert(900, "session", severity="critical", package_id="other")


def test_critical_groups_come_first_and_counts_are_true() -> None:
    found = groups([*NIGHTS, SESSION, alert(901, "profile", severity="critical", state="acknowledged")], AlertFilter())
    assert [(group.kind, len(group.alerts), len(group.raised)) for group in found] == [
        ("session", 1, 1), ("profile", 1, 0), ("night", 250, 247),
    ]  # fmt: skip
    assert found[2].count == "250 phones, 3 acknowledged"
    assert unacknowledged([*NIGHTS, SESSION]) == 248


def test_filters_choose_by_package_severity_and_state() -> None:
    alerts = [*NIGHTS, SESSION]
    chosen = [
        AlertFilter(package_id="other"), AlertFilter(severity="warning"), AlertFilter(state="acknowledged"),
        AlertFilter("other", "warning"),
    ]  # fmt: skip
    assert [[len(group.alerts) for group in groups(alerts, each)] for each in chosen] == [[1], [250], [3], []]


def test_alerts_speak_the_operators_words() -> None:
    assert title(alert(4, "profile"), "Demo phone 4", "Demo") == "Phone blocked by WhatsApp – Demo phone 4 (Demo)"
    raw = "asked by us, the gateway of the profile answered: the gateway does not accept the key (401: Unauthorized)"
    assert cause(raw) == "Connection check failed: the gateway rejected the API key."
    assert cause("open chat is paused, health is 31: delivered") == "Open chat is paused, health is 31: delivered."
    assert not [name for name, advice in KINDS.values() if "_" in name or not advice.endswith(".")]


def test_texts_of_services_have_names_and_local_times() -> None:
    names = {"demo-1": "Demo phone 1", "demo-10": "Demo phone 10"}
    text = "demo-10 and demo-1 were halved at 2026-03-01T10:30:00+00:00, until 2026-03-02 09:00:05 UTC; demo-11 was not"
    assert readable(text, names, "Africa/Cairo", NOON) == (
        "Demo phone 10 and Demo phone 1 were halved at 12:30:00, until Mon 2 Mar, 11:00; demo-11 was not"
    )
