"""Previews, queues, what-ifs and explanations over HTTP: what is asked of whom, and what is said while one is away."""

from typing import Any

import pytest

from ingress.core.delivery_updates import from_open_assigned
from ingress.testing import System
from spreader.consent import NOT_OPTED_IN, SUPPRESSED
from spreader.contract.content import TextContent
from spreader.contract.events import AssignedDelivery, OpenDeliveriesAssigned, OpenOptions
from spreader.contract.ids import delivery_id

FORESEEN: dict[str, Any] = {
    "completion": "2026-02-10T10:15:00Z",
    "binds": "gap",
    "counted_until": None,
    "profiles": {"a": {"completion": "2026-02-10T10:15:00Z", "deliveries": 2, "binds": "gap"}},
    "curve": [{"begin": "2026-02-10T10:00:00Z", "deliveries": 2, "profiles": {"a": 2}}],
}
SHARED: dict[str, Any] = {
    "strategy": "weighted", "distribution": {"a": 2}, "passed_over": {"b": "paused by an operator"}, "refused": None,
}  # fmt: skip
MESSAGE: dict[str, Any] = {
    "type": "text", "text": "Hello", "recipients": ["201000000011", "201000000012", "201000000011"],
    "distribution": "weighted",
}  # fmt: skip


async def test_a_preview_says_who_sends_how_much_by_when_and_what_binds_and_sends_nothing(system: System) -> None:
    await system.package("a", "b")
    system.router.responses["/preview"], system.pacer.responses["/forecast"] = SHARED, FORESEEN
    answer = await system.http.post("/packages/pkg/messages/preview", json=MESSAGE)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["recipients"], body["duplicates_removed"], body["strategy"]) == (2, 1, "weighted")
    assert (body["distribution"], body["passed_over"]) == ({"a": 2}, {"b": "paused by an operator"})
    assert (body["estimated_completion"], body["binds"], body["curve"]) == (
        FORESEEN["completion"], "gap", FORESEEN["curve"],
    )  # fmt: skip
    assert system.router.queries == [("/preview", {"package_id": "pkg", "recipients": 2, "distribution": "weighted"})]
    assert system.bus.published == []


@pytest.mark.parametrize("opted_in_only", [False, True])
async def test_a_preview_counts_those_who_must_not_be_written_to_and_shares_out_the_rest(
    system: System, opted_in_only: bool
) -> None:
    await system.package("a", opted_in_only=opted_in_only)
    system.router.responses["/preview"], system.pacer.responses["/forecast"] = SHARED, FORESEEN
    people = [f"2010000000{number}" for number in range(11, 18)]
    own = "/packages/pkg/suppressions"
    for path, listed in (
        (own, people[:1]), (own, people[4:5]), ("/suppressions", people[1:2]), ("/packages/pkg/opt-ins", people[1:4]),
    ):  # fmt: skip
        assert (await system.http.post(path, json={"recipients": listed})).status_code == 200
    assert (await system.http.delete(f"{own}/{people[4]}")).status_code == 204
    body = (await system.http.post("/packages/pkg/messages/preview", json={**MESSAGE, "recipients": people})).json()
    suppressed_for = {SUPPRESSED: 2, **({NOT_OPTED_IN: 3} if opted_in_only else {})}
    left = people[2:4] if opted_in_only else people[2:]
    assert (body["recipients"], body["suppressed"]) == (7, 7 - len(left))
    assert body["suppressed_for"] == suppressed_for
    assert system.router.queries[0][1]["recipients"] == len(left)
    assert system.pacer.queries[0][1]["recipients"] == left


async def test_a_preview_refuses_what_the_call_itself_would_refuse(system: System) -> None:
    await system.package("a")
    bad = await system.http.post("/packages/pkg/messages/preview", json={**MESSAGE, "recipients": []})
    assert (bad.status_code, bad.json()["errors"][0]["pointer"]) == (422, "/recipients")
    assert (await system.http.post("/packages/none/messages/preview", json=MESSAGE)).status_code == 404
    system.router.responses["/preview"] = {**SHARED, "refused": "no profile of package pkg can open conversations"}
    refused = await system.http.post("/packages/pkg/messages/preview", json=MESSAGE)
    assert (refused.status_code, refused.json()["code"]) == (409, "no-profile")


async def test_while_a_service_is_away_the_answer_says_so_and_when_to_come_back(system: System) -> None:
    await system.package("a")
    for method, path, body in (
        ("POST", "/packages/pkg/messages/preview", MESSAGE),
        ("GET", "/packages/pkg/queue", None),
        ("POST", "/packages/pkg/what-if", {}),
    ):
        answer = await system.http.request(method, path, json=body)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2"), path
        assert "does not respond" in answer.json()["detail"]


async def test_the_queue_is_the_pacers(system: System) -> None:
    await system.package("a")
    system.pacer.responses["/packages/pkg/queue"] = {"package_id": "pkg", "held": 3}
    assert (await system.http.get("/packages/pkg/queue")).json() == {"package_id": "pkg", "held": 3}
    assert (await system.http.get("/packages/none/queue")).status_code == 404


async def test_a_what_if_asks_with_the_whole_package_as_it_would_be_and_changes_nothing(system: System) -> None:
    await system.package("a", profile_limits={"per_hour": 20})
    system.pacer.responses["/what-if"] = {"now": FORESEEN, "then": FORESEEN}
    patch = {"profile_limits": {"per_hour": 200}, "rest_window": None}
    answer = await system.http.post("/packages/pkg/what-if", json=patch)
    assert answer.status_code == 200, answer.text
    assert "/profile_limits/per_hour" in [each["pointer"] for each in answer.json()["warnings"]]
    ((_, asked),) = system.pacer.queries
    proposed = asked["package"]
    assert (proposed["profile_limits"]["per_hour"], proposed["rest_window"]) == (200, None)
    assert [profile["limits"]["per_hour"] for profile in proposed["profiles"]] == [200]
    kept = (await system.http.get("/packages/pkg")).json()
    assert kept["profile_limits"]["per_hour"] == 20
    bad = await system.http.post("/packages/pkg/what-if", json={"profile_limits": {"per_hour": 0}})
    assert (bad.status_code, bad.json()["errors"][0]["pointer"]) == (422, "/profile_limits/per_hour")


async def test_an_explanation_has_the_parts_of_those_that_decided(system: System) -> None:
    await system.package("a")
    name = delivery_id("msg_1", "201000000011")
    assigned = OpenDeliveriesAssigned(
        package_id="pkg", message_id="msg_1", content=TextContent(type="text", text="Hello"), options=OpenOptions(),
        requested_at=system.clock(), strategy="round_robin",
        deliveries=(AssignedDelivery(delivery_id=name, recipient="201000000011", profile_id="a", index=4),),
    )  # fmt: skip
    await system.projection.fold_deliveries(from_open_assigned(assigned))
    system.router.responses["/messages/msg_1/routing?index=4"] = {"strategy": "round_robin", "profile_id": "a"}
    body = (await system.http.get(f"/deliveries/{name}/explain")).json()
    assert (body["status"], body["routing"]["profile_id"]) == ("held", "a")
    assert "does not respond" in body["pacing"]["note"]
    system.pacer.responses[f"/deliveries/{name}/explain"] = {"bound": "hour limit"}
    body = (await system.http.get(f"/deliveries/{name}/explain")).json()
    assert body["pacing"] == {"bound": "hour limit"}
    assert (await system.http.get("/deliveries/dlv_none/explain")).status_code == 404


@pytest.mark.parametrize(
    ("settings", "pointer"),
    [
        ({"gap": {"min_seconds": 300, "max_seconds": 60}}, "/gap"),
        ({"gap": {"spread": 0.9}}, "/gap/spread"),
        ({"gap": {"rush_factor": 0.5}}, "/gap/rush_factor"),
        ({"gap": {"calm_factor": 0}}, "/gap/calm_factor"),
        ({"gap": {"tempo_min": 2}}, "/gap/tempo_min"),
        ({"gap": {"tempo_max": 0.5}}, "/gap/tempo_max"),
        ({"gap": {"calm_tempo": -1}}, "/gap/calm_tempo"),
        ({"gap": {"fastest": 1.5}}, "/gap/fastest"),
        ({"gap": {"slack": 2}}, "/gap/slack"),
        ({"gap": {"pairs_under": -0.5}}, "/gap/pairs_under"),
        ({"profile_limits": {"per_hour": 0}}, "/profile_limits/per_hour"),
        ({"profile_limits": {"per_day": -3}}, "/profile_limits/per_day"),
        ({"profile_limits": {"unanswered_per_30_days": 0}}, "/profile_limits/unanswered_per_30_days"),
        ({"limits": {"concurrent_sends": 0}}, "/limits/concurrent_sends"),
        ({"timezone": "Mars/Base"}, "/timezone"),
        ({"rest_window": {"start": "01:00", "hours": 24}}, "/rest_window/hours"),
        ({"rest_window": {"start": "01:00", "hours": 4, "stagger_minutes": 90}}, "/rest_window/stagger_minutes"),
        ({"active_windows": [{"start": "08:00"}]}, "/active_windows/0/end"),
        ({"active_windows": [{"start": "01:00", "end": "05:00"}]}, ""),
        ({"recipient_quiet_hours": {"start": "21:00", "hours": 24}}, "/recipient_quiet_hours/hours"),
        ({"warm_up": {"days": 0}}, "/warm_up/days"),
        ({"warm_up": {"from_share": 1.5}}, "/warm_up/from_share"),
    ],
)
async def test_bad_settings_are_refused_by_field(system: System, settings: dict[str, Any], pointer: str) -> None:
    made = await system.http.post("/packages", json={"package_id": "bad", "name": "Bad", **settings})
    assert made.status_code == 422, made.text
    assert made.json()["errors"][0]["pointer"] == pointer


async def test_an_hour_limit_over_the_day_limit_is_a_warning_and_no_error(system: System) -> None:
    odd = {"package_id": "odd", "name": "Odd", "profile_limits": {"per_hour": 200, "per_3_hours": 100, "per_day": 50}}
    made = await system.http.post("/packages", json=odd)
    assert made.status_code == 201, made.text
    assert {each["pointer"] for each in made.json()["warnings"]} >= {"/profile_limits/per_hour"}


@pytest.mark.parametrize(
    ("options", "pointer"),
    [
        ({"schedule_at": "2026-02-10T10:00:00Z", "schedule_local": "2026-02-10T10:00:00"}, "/options"),
        ({"drip_until": "2026-02-10T10:00:00Z"}, "/options"),
        (
            {"waiting_strategy": "drip", "drip_until": "2026-02-10T10:00:00Z", "drip_interval_minutes": 5},
            "/options",
        ),
        ({"schedule_local": "2026-02-10T10:00:00Z"}, "/options/schedule_local"),
    ],
)
async def test_options_that_contradict_each_other_are_refused(
    system: System, options: dict[str, Any], pointer: str
) -> None:
    await system.package("a")
    answer = await system.http.post("/packages/pkg/messages/open", json={**MESSAGE, "options": options})
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer
