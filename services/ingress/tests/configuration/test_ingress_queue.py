"""Queue and what-if over HTTP: both are the pacer's; a what-if changes nothing."""

from typing import Any

import pytest

from ingress.configuration.queue_endpoint import QUEUE_EXAMPLE
from ingress.testing import System

FORESEEN: dict[str, Any] = {
    "completion": "2026-02-10T10:15:00Z",
    "binds": "gap",
    "counted_until": None,
    "simulated": 2,
    "profiles": {"a": {"completion": "2026-02-10T10:15:00Z", "deliveries": 2, "binds": "gap"}},
    "curve": [{"begin": "2026-02-10T10:00:00Z", "deliveries": 2, "profiles": {"a": 2}}],
}


async def test_the_queue_is_that_of_the_pacer(system: System) -> None:
    await system.package("a")
    system.pacer.responses["/packages/pkg/queue"] = QUEUE_EXAMPLE
    assert (await system.http.get("/packages/pkg/queue")).json() == QUEUE_EXAMPLE
    assert (await system.http.get("/packages/none/queue")).status_code == 404


async def test_a_what_if_sends_the_proposed_package_and_changes_nothing(system: System) -> None:
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


async def test_missing_outcomes_are_asked_for_by_the_pacer(system: System) -> None:
    await system.package("a")
    asked = {"overdue": 2, "freed": 0, "reported": 2, "in_progress": 0, "unavailable": None}
    system.pacer.responses["/packages/pkg/outcomes"] = asked
    answer = await system.http.post("/packages/pkg/outcomes")
    assert (answer.status_code, answer.json()) == (200, asked)
    assert (await system.http.post("/packages/none/outcomes")).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body"), [("GET", "queue", None), ("POST", "what-if", {}), ("POST", "outcomes", None)]
)
async def test_without_the_pacer_the_response_is_a_503_with_retry_after(
    system: System, method: str, path: str, body: dict[str, Any] | None
) -> None:
    await system.package("a")
    response = await system.http.request(method, f"/packages/pkg/{path}", json=body)
    assert (response.status_code, response.headers["retry-after"]) == (503, "2")
    assert "does not respond" in response.json()["detail"]
