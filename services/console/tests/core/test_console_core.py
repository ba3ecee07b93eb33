"""Core of the console: formats, forms and their request bodies, recipient lists, explanations."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markupsafe import Markup

from console.core import draft, formats, setting_texts
from console.core.api_models import ApiChangeList, ApiHistory
from console.core.conflict import foreign_changes, with_authors
from console.core.markup import tag
from console.core.message_body import InvalidField, open_body, reply_body
from console.core.pacing_factors import effects, gap_factors, rush
from console.core.progress import explanation_steps
from console.core.queue import ApiOutcomeRequest, ApiPace, ApiQueue, missing_outcomes, outcome_request_words
from console.core.recipients.recipient_list import RecipientScan, column_labels
from console.core.timeline import fill_gaps
from spreader.contract.configuration import Package
from spreader.phone.number_column import find_layout

ROOT = Path(__file__).parents[4]
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (formats.count(1_234_567), "1\u202f234\u202f567"),
        (formats.count(None), "–"),
        (formats.plain(1_000_000), "1000000"),
        (formats.plain(2.50), "2.5"),
        (formats.plain(0.0), "0"),
        (formats.span(0.4), "0 s"),
        (formats.span(144), "2 min 24 s"),
        (formats.span(3_600), "1 h"),
        (formats.span(11_100), "3 h 5 min"),
        (formats.span(187_200), "2 d 4 h"),
        (formats.share(0.005), "0.5\u202f%"),
        (formats.share(0.97), "97\u202f%"),
        (formats.times(2.0), "× 2"),
        (formats.times(0.75), "× 0.75"),
        (formats.clock(NOON, "Africa/Cairo", NOON), "14:00:00"),
        (formats.clock(NOON, "UTC", NOON - timedelta(days=2)), "Sun 1 Mar, 12:00"),
        (formats.until(NOON + timedelta(minutes=65), NOON), "in 1 h 5 min"),
        (formats.until(NOON, NOON), "now"),
        (formats.ago(NOON - timedelta(seconds=90), NOON), "1 min 30 s ago"),
        (formats.phone("201001234567"), "+20 100 123 4567"),
        (formats.plural(1, "profile"), "1 profile"),
        (formats.plural(0, "profile"), "0 profiles"),
    ],
)
def test_formats(shown: str, text: str) -> None:
    assert shown == text


def test_texts_are_escaped() -> None:
    evil = '<img src=x onerror="alert(1)">'
    shown = tag("p", evil, Markup("<b>ours</b>"), title=evil)
    assert "<img" not in shown
    assert "<b>ours</b>" in shown


def leaves(schema: dict[str, Any], pointer: str = "") -> set[str]:
    """The pointers of all settings of a form, with the members of groups."""
    found: set[str] = set()
    for name, field in schema.get("properties", {}).items():
        inner = next((each for each in (field, *field.get("anyOf", ())) if "properties" in each), None)
        here = f"{pointer}/{name}"
        found |= leaves(inner, here) if inner else {here}
    return found


@pytest.mark.parametrize(
    ("path", "groups", "elsewhere"),
    [
        ("", setting_texts.package_groups(), "/package_id"),
        ("/profiles/{profile_id}", setting_texts.profile_groups(), "/gateway"),
    ],
)
def test_the_forms_have_every_setting_of_the_api_and_no_other(
    path: str, groups: tuple[setting_texts.SettingGroup, ...], elsewhere: str
) -> None:
    document = json.loads((ROOT / "docs/openapi.json").read_text())
    body = document["paths"]["/api/v1/packages/{package_id}" + path]["patch"]["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    wanted = leaves(schema)
    assert len(wanted) > 5
    offered = {each.pointer for each in setting_texts.fields(groups)} - set(draft.SWITCHED)
    assert offered == {each for each in wanted if not each.startswith(elsewhere)}


DOCUMENT = Package(package_id="shop", version=1, name="Shop").model_dump(mode="json")
FIELDS = setting_texts.fields(setting_texts.package_groups())


def filled_in(**typed: Any) -> dict[str, Any]:
    before = draft.initial_values(DOCUMENT, FIELDS)
    by_place = {each.pointer: each for each in FIELDS}
    now = {**before, **{pointer: draft.parse(by_place[pointer], value) for pointer, value in typed.items()}}
    return draft.patch(FIELDS, before, now)


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ({}, {}),
        ({"/profile_limits/per_hour": "15"}, {"profile_limits": {"per_hour": 15}}),
        ({"/profile_limits/per_hour": "20"}, {}),
        ({"/limits/per_day": ""}, {}),
        ({"/profile_limits/per_recipient_per_day": ""}, {"profile_limits": {"per_recipient_per_day": None}}),
        ({"/gap/spread": "0.35"}, {"gap": {"spread": 0.35}}),
        ({"/rest_window": False}, {"rest_window": None}),
        ({"/rest_window": False, "/rest_window/start": "03:00"}, {"rest_window": None}),
        ({"/rest_window/start": "03:00"}, {"rest_window": {"start": "03:00"}}),
        ({"/recipient_quiet_hours": True}, {"recipient_quiet_hours": {"start": "21:00", "hours": 12}}),
        ({"/recipient_quiet_hours/start": "20:00"}, {}),  # means nothing while the switch is off
        ({"/active_windows": "8:00-12:00, 13:30-22:00"},
         {"active_windows": [{"start": "08:00", "end": "12:00"}, {"start": "13:30", "end": "22:00"}]}),
        ({"/opt_out_words": "enough, no more"}, {"opt_out_words": ["enough", "no more"]}),
        ({"/opt_out_words_ignored": "cancel"}, {"opt_out_words_ignored": ["cancel"]}),
    ],
)  # fmt: skip
def test_typed_values_become_the_patch_body(typed: dict[str, Any], asked: dict[str, Any]) -> None:
    assert filled_in(**typed) == asked


@pytest.mark.parametrize(
    ("pointer", "typed"),
    [
        ("/gap/rush_over", "ten"),
        ("/gap/rush_over", "nan"),
        ("/gap/rush_over", "inf"),
        ("/gap/rush_over", ""),
        ("/gap/rush_over", "0"),
        ("/gap/rush_over", "1001"),
        ("/active_windows", "morning"),
        ("/active_windows", "9-5"),
        ("/active_windows", "08:00-25:00"),
        ("/active_windows", "08:61-12:00"),
        ("/name", " "),
    ],
)
def test_an_invalid_value_says_what_is_valid(pointer: str, typed: str) -> None:
    field = next(each for each in FIELDS if each.pointer == pointer)
    with pytest.raises(draft.InvalidValue, match="Enter "):
        draft.parse(field, typed)


def test_a_limit_over_the_limit_of_a_longer_span_is_refused() -> None:
    before = draft.initial_values(DOCUMENT, FIELDS)
    assert draft.contradictions(FIELDS, before, before) == {}
    now = {**before, "/profile_limits/per_hour": 1_000}
    assert draft.contradictions(FIELDS, before, now) == {
        "/profile_limits/per_hour": "“In an hour” is over “In 24 hours”: it would never take effect."
    }
    stored = {**before, "/profile_limits/per_hour": 1_000}
    assert draft.contradictions(FIELDS, stored, {**stored, "/name": "Other"}) == {}


PROFILE_FIELDS = setting_texts.fields(setting_texts.profile_groups())


@pytest.mark.parametrize(
    ("limits", "pointer", "typed", "asked"),
    [
        ({"per_hour": 7}, "/limits/per_hour", "", "package"),
        ({"per_hour": 7}, "/limits/per_hour", "9", 9),
        ({}, "/limits/per_hour", "9", 9),
        ({}, "/limits/new_contacts_per_day", "No Limit", None),
        ({"new_contacts_per_day": None}, "/limits/new_contacts_per_day", "", "package"),
        ({"new_contacts_per_day": None}, "/limits/new_contacts_per_day", "no limit", "nothing"),
        ({}, "/limits/new_contacts_per_day", "", "nothing"),
        ({"per_hour": None}, "/limits/per_hour", "", "nothing"),  # null is the package's too, where a limit must be
    ],
)
def test_an_own_limit_follows_the_package_or_not(limits: dict[str, Any], pointer: str, typed: str, asked: Any) -> None:
    before = draft.initial_values({"limits": limits}, PROFILE_FIELDS)
    (field,) = [each for each in PROFILE_FIELDS if each.pointer == pointer]
    now = {**before, pointer: draft.parse(field, typed)}
    wanted = {} if asked == "nothing" else {"limits": {pointer.rsplit("/", 1)[1]: asked}}
    assert draft.patch(PROFILE_FIELDS, before, now) == wanted
    assert draft.parse(field, draft.format_value(field, before[pointer])) == before[pointer]
    with pytest.raises(draft.InvalidValue, match="such as 20"):
        draft.parse(field, "many")


def test_a_limit_that_must_be_there_cannot_be_taken_off() -> None:
    (field,) = [each for each in PROFILE_FIELDS if each.pointer == "/limits/per_hour"]
    with pytest.raises(draft.InvalidValue):
        draft.parse(field, "no limit")
    shown = draft.limits_in_force({"effective_limits": {"per_hour": 20, "new_contacts_per_day": None}})
    assert shown == {"/limits/per_hour": "Now: 20", "/limits/new_contacts_per_day": "Now: no limit"}


def test_foreign_changes_name_the_setting_its_values_and_who_changed_it() -> None:
    off = {**DOCUMENT, "rest_window": None, "keep_profile_per_customer": True}
    found = foreign_changes(FIELDS, DOCUMENT, {**off, "version": 3, "paused": True})
    assert [(each.field.pointer, each.before, each.after) for each in found] == [
        ("/keep_profile_per_customer", "off", "on"), ("/rest_window", "on", "off"),
    ]  # fmt: skip
    history = ApiChangeList.model_validate(
        {"data": [
            {"number": 3, "at": NOON, "who": "Omar", "differences": [{"pointer": "/rest_window", "from": {}}]},
            {"number": 2, "at": NOON, "who": "Zoë", "differences": [{"pointer": "/rest_window/start"}]},
            {"number": 2, "at": NOON, "who": "Ali", "differences": [{"pointer": "/keep_profile"}]},
        ]}
    ).data  # fmt: skip
    assert [each.sentence("UTC", NOON) for each in with_authors(found, history, "")] == [
        "Somebody without a name (API key) changed it from off to on.", "Omar changed it from on to off, 12:00:00.",
    ]  # fmt: skip
    assert [each.who for each in with_authors(found, history, "/profiles/a")] == [None, None]


@given(st.integers(1, 10**6) | st.floats(1, 10**6) | st.none())
@example(1_000_000)
@example(234_567.5)
def test_a_number_comes_back_from_its_field(value: float | None) -> None:
    field = next(each for each in FIELDS if each.pointer == "/limits/per_day")
    shown = draft.format_value(field, value)
    assert "e" not in shown
    assert draft.parse(field, shown) == value


def test_each_column_is_shown_with_the_numbers_that_would_be_dialled() -> None:
    rows = [["Name", ""], ["Mona", "+20 100 123 4567"], ["Omar", "00201001234568"]]
    assert column_labels(find_layout(rows), rows) == ["Name", "Column 2 (201001234567, 201001234568, …)"]
    assert column_labels(find_layout([["201001234567"]]), [["201001234567"]]) == ["Column 1 (201001234567, …)"]


def test_invalid_rows_are_counted_and_listed_with_their_line() -> None:
    scan = RecipientScan()
    found = [scan.add(line, [cell], 0) for line, cell in enumerate(["201001234567", "", "0100", "x"], 2)]
    assert found == ["201001234567", None, None, None]
    assert (scan.rows, scan.empty, scan.invalid) == (4, 1, 2)
    assert [(each.line, each.why.split(":")[0]) for each in scan.errors] == [
        (4, "it begins with 0"), (5, "it has letters or signs"),
    ]  # fmt: skip


def test_typed_fields_become_the_message_body() -> None:
    typed = {"type": "text", "text": "Hi", "waiting_strategy": "drip", "drip_interval_minutes": "5",
             "schedule_at": "2026-03-01T10:00", "distribution": ""}  # fmt: skip
    assert open_body(typed, ["201"], "Africa/Cairo") == {
        "type": "text", "text": "Hi", "recipients": ["201"],
        "options": {"waiting_strategy": "drip", "schedule_at": "2026-03-01T10:00:00+02:00",
                    "drip_interval_minutes": 5.0},
    }  # fmt: skip
    image = {"type": "image", "url": "https://e.com/a.png", "caption": "c", "recipient": "+20 100 123 4567"}
    assert reply_body(image)["media"] == {"url": "https://e.com/a.png"}
    assert reply_body(image)["recipient"] == "201001234567"
    assert reply_body({**image, "recipient": "01001234567"}, "EG")["recipient"] == "201001234567"
    with pytest.raises(InvalidField, match="5 digits") as wrong:
        reply_body({"type": "text", "text": "Hi", "recipient": "+20 100"})
    assert wrong.value.pointer == "/recipient"
    with pytest.raises(InvalidField) as reason:
        open_body({"type": "template", "components": "{"}, [], "UTC")
    assert reason.value.pointer == "/template/components"


FACTORS = {"base_seconds": 144, "pressure": 2.0, "tempo": 0.5, "mean_seconds": 144, "spread": 0.4, "limit_factor": 0.5,
           "gap_min_seconds": 87, "gap_max_seconds": 201, "slack_seconds": 8, "position": 0.7,
           "sent_last_2_hours": 3}  # fmt: skip


def test_every_gap_factor_has_a_value_and_an_explanation() -> None:
    pace = ApiPace.model_validate({"profile_id": "p", "due": 11, "due_counted_to": 11, "factors": FACTORS})
    shown = {each.name: each.value for each in gap_factors(pace, 10)}
    assert shown == {
        "Base": "2 min 24 s", "Pressure": "× 2", "Tempo": "× 0.5", "Mean": "2 min 24 s", "Spread": "40\u202f%",
        "Range": "1 min 27 s – 3 min 21 s", "Position": "70\u202f%", "Slack": "8 s",
        "Limit factor": "× 0.5", "Warm-up": "× 1",
    }  # fmt: skip
    words = {each.name: each.words for each in gap_factors(pace, 10)}
    assert words["Pressure"].startswith("Long queue: over 10 wait, more than 10.")
    assert words["Tempo"] == "3 went in the last 2 hours, fewer than expected: it speeds up."
    idle = ApiPace.model_validate({"profile_id": "p", "factors": {"limit_factor": 1.0, "warm_up": 0.2}})
    assert [each.name for each in gap_factors(idle, 10)] == ["Limit factor", "Warm-up"]


def test_rush_and_current_effects_of_settings() -> None:
    limits = {"hour limit": {"used": 7, "limit": 10}}
    asked = {"package_id": "p", "at": NOON, "held": 30, "rush_over": 10, "profiles_in_rush": 1,
             "at_gateway": {"now": 2, "max": 10},
             "profiles": [{"profile_id": "a", "limits": limits, "factors": FACTORS,
                           "bound": "day limit in pairs"}]}  # fmt: skip
    queue = ApiQueue.model_validate(asked)
    assert (rush(queue).is_on, "is doubled there" in rush(queue).words) == (True, True)
    said = effects(queue)
    assert said["/profile_limits/per_hour"] == "Now: the fullest phone has used 7 of 10 in force"
    assert said["/limits/concurrent_sends"] == "Now: 2 of 10 at the gateway"
    assert said["/gap/min_seconds"] == "Now: 1 min 27 s"
    assert said["/gap/pairs_under"] == "Now: 1 phone two at a time"
    assert effects(None) == {}


def test_missing_outcomes_are_said_and_what_came_of_the_question() -> None:
    def queue(now: int, without_outcome: int) -> ApiQueue:
        slots = {"now": now, "max": 10, "without_outcome": without_outcome}
        return ApiQueue.model_validate(
            {"package_id": "p", "at": NOON, "held": 1, "rush_over": 10, "profiles_in_rush": 0, "at_gateway": slots,
             "profiles": []}
        )  # fmt: skip

    assert (missing_outcomes(None), missing_outcomes(queue(3, 0))) == (None, None)
    stopped, working = missing_outcomes(queue(10, 1)), missing_outcomes(queue(9, 9))
    assert stopped is not None
    assert working is not None
    assert stopped.startswith("1 delivery has had no outcome")
    assert ("No other campaign message is sent" in stopped, "No other campaign message is sent" in working) == (
        True,
        False,
    )
    words = [
        outcome_request_words(ApiOutcomeRequest.model_validate(body))
        for body in (
            {"overdue": 3, "freed": 1, "reported": 1, "in_progress": 1, "unavailable": None},
            {"overdue": 0},
            {"overdue": 2, "unavailable": "the sender does not respond"},
        )
    ]
    assert words == [
        "Settled: 2 of 3. Still at the sender: 1.",
        "No outcome is missing any more.",
        "The sender was not asked: the sender does not respond",
    ]


def test_a_history_has_a_point_for_every_interval() -> None:
    begin, end = NOON, NOON + timedelta(hours=4)
    told = {"by": "hour", "from": begin, "to": end, "data": [{"at": NOON + timedelta(hours=2), "sent": 7}]}
    assert [each.sent for each in fill_gaps(ApiHistory.model_validate(told), "UTC")] == [0, 0, 7, 0]
    spring = datetime(2026, 3, 28, 23, 0, tzinfo=UTC)  # Berlin: the clock goes from 2 to 3 in this night
    night = {"by": "hour", "from": spring, "to": spring + timedelta(hours=4), "data": [{"at": spring, "sent": 1}]}
    berlin = ZoneInfo("Europe/Berlin")
    hours = [each.at.astimezone(berlin).hour for each in fill_gaps(ApiHistory.model_validate(night), "Europe/Berlin")]
    assert hours == [0, 1, 3, 4]


def test_the_explanation_of_a_delivery() -> None:
    explained = {
        "status": "held", "profile_id": "p1", "attempt": 1,
        "routing": {"strategy": "smart", "reasons": {"p1": "most room"}, "passed_over": {"p2": "paused"}},
        "pacing": {"state": "held", "ahead": 4, "bound": "gap", "why": "The gap is not over."},
    }  # fmt: skip
    assert [each.words for each in explanation_steps(explained, {"p1": "Sales"}, "UTC", NOON)] == [
        "Sales was chosen (smart: most room).", "Passed over: p2 (paused).", "4 messages are ahead of it.",
        "The gap is not over.",
    ]  # fmt: skip
    failed = {"status": "failed", "attempt": 2, "reason": "no such number", "routing": {"note": "gone"}, "pacing": None}
    assert [each.words for each in explanation_steps(failed, {}, "UTC", NOON)] == [
        "Routing: gone.", "Failed at attempt 2: No such number.",
    ]  # fmt: skip
