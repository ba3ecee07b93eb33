"""Person: what the console says about a phone number and its erasure."""

from typing import Any

import pytest

from console.core import formats
from console.core.recipients.person import (
    ApiPerson,
    ApiServiceErasure,
    deliveries_text,
    listings_text,
    reading_text,
    removed_text,
    words_text,
)

AT = "2026-03-01T12:00:00Z"
PERSON: dict[str, Any] = {
    "recipient": "201001234567",
    "suppressions": [
        {"package_id": "*", "since": AT, "source": "api"},
        {"package_id": "a", "since": AT, "source": "csv"},
    ],
    "opt_ins": [],
    "possible_opt_outs": [{"package_id": "a", "profile_id": "p", "text": "STOP STOP", "at": AT, "decision": None}],
    "deliveries": {"total": 1_003, "counts": {"held": 0, "sent": 3, "read": 1_000}, "first_at": AT, "last_at": AT},
    "conversations": None,
    "reading": [
        {"package_id": "a", "timezone": "Africa/Cairo", "best_hour": 9, "hours": {"9": 1}},
        {"package_id": "b", "timezone": "Africa/Cairo", "best_hour": 20, "hours": {"19": 2, "20": 3}},
    ],
    "unavailable": {"router": "it does not respond"},
    "erasure": None,
}


def test_a_person_is_worded() -> None:
    person = ApiPerson.model_validate(PERSON)
    assert listings_text(person.suppressions, {"a": "Orders"}) == "all packages, Orders"
    assert listings_text(person.opt_ins, {}) == "no"
    assert deliveries_text(person.deliveries) == f"{formats.count(1_003)}: 3 sent, {formats.count(1_000)} read"
    assert words_text(person.possible_opt_outs) == "“STOP STOP” (no decision)"
    assert words_text(()) == "none"
    assert reading_text(person.reading) == "best at 20:00 (Africa/Cairo), by 6 readings"
    assert (reading_text(None), reading_text(())) == (formats.UNKNOWN, "nothing is known")
    assert deliveries_text(person.deliveries.model_copy(update={"total": 0})) == "none"


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ({"done_at": None, "rows": {}}, "at work"),
        ({"done_at": AT, "rows": {}}, "it had nothing"),
        ({"done_at": AT, "rows": {"pacer.habit": 3, "pacer.contact": 1}}, "pacer.contact: 1, pacer.habit: 3"),
    ],
)
def test_what_a_service_removed_is_worded(service: dict[str, Any], expected: str) -> None:
    assert removed_text(ApiServiceErasure.model_validate(service)) == expected
