"""Preview over HTTP: distribution, forecast and suppressions of a message that is not sent."""

from typing import Any

import pytest

from ingress.testing import System
from spreader.consent import NOT_OPTED_IN, SUPPRESSED

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


async def test_a_preview_has_distribution_and_forecast_and_publishes_nothing(system: System) -> None:
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


async def test_a_preview_of_more_than_the_pacer_simulates_says_so(system: System) -> None:
    await system.package("a")
    system.router.responses["/preview"] = SHARED
    system.pacer.responses["/forecast"] = FORESEEN | {"counted_until": "2026-02-10T10:10:00Z", "simulated": 8_000}
    body = (await system.http.post("/packages/pkg/messages/preview", json=MESSAGE)).json()
    assert body["estimated_completion_note"].startswith("extrapolated: the pacer simulated 8000 releases")
    assert system.pacer.queries[0][1]["purpose"] == "preview"


@pytest.mark.parametrize("opted_in_only", [False, True])
async def test_a_preview_counts_suppressed_recipients_and_distributes_the_rest(
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


async def test_a_preview_refuses_what_the_open_endpoint_refuses(system: System) -> None:
    await system.package("a")
    bad = await system.http.post("/packages/pkg/messages/preview", json={**MESSAGE, "recipients": []})
    assert (bad.status_code, bad.json()["errors"][0]["pointer"]) == (422, "/recipients")
    assert (await system.http.post("/packages/none/messages/preview", json=MESSAGE)).status_code == 404
    system.router.responses["/preview"] = {**SHARED, "refused": "no profile of package pkg can open conversations"}
    refused = await system.http.post("/packages/pkg/messages/preview", json=MESSAGE)
    assert (refused.status_code, refused.json()["code"]) == (409, "no-profile")


async def test_a_preview_says_how_many_would_wait_for_a_profile(system: System) -> None:
    await system.package("a")
    await system.http.post("/packages/pkg/pause")
    waits = {"distribution": {}, "waiting": "no profile of package pkg can send now"}
    system.router.responses["/preview"] = SHARED | waits
    system.pacer.responses["/forecast"] = FORESEEN | {"completion": None, "binds": ""}
    body = (await system.http.post("/packages/pkg/messages/preview", json=MESSAGE)).json()
    assert (body["waiting_for_profile"], body["estimated_completion"], body["binds"]) == (
        2, None, "waiting for a profile",
    )  # fmt: skip


async def test_a_preview_without_the_router_is_a_503_with_retry_after(system: System) -> None:
    await system.package("a")
    response = await system.http.post("/packages/pkg/messages/preview", json=MESSAGE)
    assert (response.status_code, response.headers["retry-after"]) == (503, "2")
    assert "does not respond" in response.json()["detail"]
