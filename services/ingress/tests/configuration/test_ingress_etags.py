"""ETags: a change of an outdated copy is refused, and nothing is changed."""

from typing import Any

import pytest

from ingress.testing import System

PACKAGE, PROFILE = "/packages/pkg", "/packages/pkg/profiles/a"
CHANGES: list[tuple[str, str, dict[str, Any] | None]] = [
    ("PATCH", "", {"name": "New"}),
    ("POST", "/pause", None),
    ("POST", "/resume", None),
    ("DELETE", "", None),
]


async def etag(system: System, path: str) -> str:
    return (await system.http.get(path)).headers["etag"]


@pytest.mark.parametrize("path", [PACKAGE, PROFILE])
@pytest.mark.parametrize(("method", "suffix", "body"), CHANGES)
async def test_a_stale_etag_is_refused_with_the_present_version(
    system: System, path: str, method: str, suffix: str, body: dict[str, Any] | None
) -> None:
    await system.package("a")
    stale = await etag(system, path)
    assert (await system.http.patch(path, json={"name": "Changed"}, headers={"If-Match": stale})).status_code == 200
    present = await etag(system, path)
    before = (await system.http.get(path)).json()
    refused = await system.http.request(method, path + suffix, json=body, headers={"If-Match": stale})
    assert (refused.status_code, refused.json()["code"]) == (412, "changed")
    assert (refused.headers["etag"], refused.json()["etag"]) == (present, present)
    assert refused.json()["version"] == (await system.http.get(PACKAGE)).json()["version"]
    assert (await system.http.get(path)).json() == before
    done = await system.http.request(method, path + suffix, json=body, headers={"If-Match": f'"x", {present}'})
    assert done.status_code in (200, 204)


async def test_every_answer_has_the_etag_that_the_next_change_needs(system: System) -> None:
    await system.package("a")
    for path in (PACKAGE, PROFILE):
        for method, suffix, body in CHANGES[:3]:
            answer = await system.http.request(method, path + suffix, json=body, headers={"If-Match": "*"})
            assert answer.headers["etag"] == await etag(system, path)
    created = await system.http.post("/packages", json={"package_id": "other", "name": "Other"})
    assert created.headers["etag"] == await etag(system, "/packages/other")


async def test_a_change_of_another_profile_leaves_the_etag_of_a_profile(system: System) -> None:
    await system.package("a", "b")
    before = await etag(system, PROFILE)
    await system.http.patch("/packages/pkg/profiles/b", json={"name": "New"})
    assert await etag(system, PROFILE) == before
    await system.http.patch(PACKAGE, json={"profile_limits": {"per_hour": 7}})
    assert await etag(system, PROFILE) != before, "its effective limits have changed"


async def test_a_package_that_is_gone_is_not_found(system: System) -> None:
    for path in ("/packages/nobody", "/packages/nobody/profiles/a"):
        assert (await system.http.delete(path, headers={"If-Match": '"1"'})).status_code == 404
