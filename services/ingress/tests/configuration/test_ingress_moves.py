"""Moves of profiles over HTTP: a profile goes to another package with its id, its settings and its credentials."""

from datetime import timedelta

import pytest

from ingress.testing import System

pytestmark = pytest.mark.postgres

PERSON = "201000000011"


async def move(system: System, profile_id: str, source: str, target: str, **headers: str) -> int:
    path = f"/packages/{source}/profiles/{profile_id}/move"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return (await system.http.post(path, json={"package_id": target}, headers=named)).status_code


async def test_a_moved_profile_keeps_everything_but_its_package(system: System) -> None:
    await system.package()
    await system.package("b", package_id="other", profile_limits={"per_hour": 7})
    await system.gateway_profile("waha", "a")
    before = (await system.http.get("/packages/pkg/profiles/a")).json()
    (published,) = system.snapshot().package.profiles
    await system.http.post("/packages/pkg/profiles/a/pause")
    system.clock.forward(timedelta(hours=1))
    answer = await system.http.post("/packages/pkg/profiles/a/move", json={"package_id": "other"})
    moved = answer.json()
    assert (answer.status_code, moved["package_id"], moved["paused"]) == (200, "other", True)
    same = ("profile_id", "name", "phone", "gateway", "limits", "created_at")
    assert {name: moved[name] for name in same} == {name: before[name] for name in same}
    assert (moved["effective_limits"]["per_hour"], moved["webhook_url"]) == (7, "/api/v1/webhooks/waha/other/a")
    assert (await system.http.get("/packages/pkg/profiles/a")).status_code == 404
    assert system.snapshot().package.profiles == ()
    a, _ = system.snapshot("other").package.profiles
    assert (a.gateway, a.created_at) == (published.gateway, published.created_at)


async def test_both_packages_have_the_move_in_their_history(system: System) -> None:
    await system.package("a")
    await system.package(package_id="other")
    assert await move(system, "a", "pkg", "other", Spreader_Operator="Mona") == 200
    for package_id, sign in (("pkg", "from"), ("other", "to")):
        change = (await system.http.get(f"/packages/{package_id}/changes")).json()["data"][0]
        (difference,) = change["differences"]
        assert (change["who"], difference["pointer"], sign in difference) == ("Mona", "/profiles/a", True)
        assert change["undoable"] is False


@pytest.mark.parametrize(
    ("profile_id", "source", "target", "status"),
    [
        ("a", "pkg", "nowhere", 404),
        ("nobody", "pkg", "other", 404),
        ("a", "other", "pkg", 404),
        ("a", "pkg", "pkg", 422),
        ("a", "pkg", "", 422),
    ],
)
async def test_a_refused_move_changes_nothing(
    system: System, profile_id: str, source: str, target: str, status: int
) -> None:
    await system.package("a")
    await system.package(package_id="other")
    assert await move(system, profile_id, source, target) == status
    packages = [(await system.http.get(f"/packages/{name}")).json() for name in ("pkg", "other")]
    assert [(package["profile_ids"], package["version"]) for package in packages] == [(["a"], 2), ([], 1)]


async def test_a_move_of_another_version_is_refused(system: System) -> None:
    await system.package("a")
    await system.package(package_id="other")
    etag = (await system.http.get("/packages/pkg/profiles/a")).headers["etag"]
    await system.http.patch("/packages/pkg/profiles/a", json={"weight": 5})
    assert await move(system, "a", "pkg", "other", If_Match=etag) == 412
    etag = (await system.http.get("/packages/pkg/profiles/a")).headers["etag"]
    assert await move(system, "a", "pkg", "other", If_Match=etag) == 200


async def test_a_call_at_the_address_before_the_move_is_heard(system: System) -> None:
    """Otherwise an opt-out would be lost until somebody sets the new address."""
    await system.package("a")
    await system.package(package_id="other")
    await move(system, "a", "pkg", "other")
    stop = {"event": "message", "message_id": "m1", "from": PERSON, "type": "text", "text": "STOP"}
    call = {**stop, "at": "2026-06-01T12:00:00Z"}
    assert (await system.http.post("/webhooks/simulator/pkg/a", json=call)).status_code == 200
    found = [
        [row["recipient"] for row in (await system.http.get(f"/packages/{name}/suppressions")).json()["data"]]
        for name in ("pkg", "other")
    ]
    assert found == [[], [PERSON]]
    assert (await system.http.post("/webhooks/simulator/never/a", json=call)).status_code == 404
    await system.http.delete("/packages/pkg")
    assert (await system.http.post("/webhooks/simulator/pkg/a", json=call)).status_code == 200
