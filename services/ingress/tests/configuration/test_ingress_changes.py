"""Change history over HTTP: who set what, before and after, and which changes can be undone."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingress.configuration.change_history import package_document
from ingress.core.differences import ABSENT, Difference, NotUndoable, differences, not_undoable_reason, revert
from ingress.core.snapshot import StoredPackage, StoredProfile
from ingress.testing import System
from spreader.vault import new_key

names = st.sampled_from(["a", "b", "c/d", "e~f"])
documents = st.recursive(
    st.integers(0, 3) | st.none(), lambda inner: st.dictionaries(names, inner, max_size=3), max_leaves=8
)


async def listed(system: System, query: str = "") -> list[dict[str, Any]]:
    answer = await system.http.get(f"/packages/pkg/changes{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def said(change: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Each setting, from what to what."""
    return {each["pointer"]: (each.get("from", "-"), each.get("to", "-")) for each in change["differences"]}


async def test_a_change_records_operator_setting_before_and_after(system: System) -> None:
    await system.package("a")
    mona = {"Spreader-Operator": "M%C3%B3na"}
    body = {"profile_limits": {"per_hour": 15}, "rest_window": None}
    await system.http.patch("/packages/pkg", json=body, headers=mona)
    await system.http.patch("/packages/pkg/profiles/a", json={"limits": {"per_hour": 7}})
    await system.http.post("/packages/pkg/profiles/a/pause", headers={"Spreader-Operator": "  "})
    paused, limited, changed, added, made = await listed(system)
    assert [each["who"] for each in (paused, limited, changed, added, made)] == [None, None, "Móna", None, None]
    assert said(paused) == {"/profiles/a/paused": (False, True)}
    assert said(limited) == {"/profiles/a/limits/per_hour": ("-", 7)}
    rest = {"start": "01:00", "hours": 4.0, "stagger_minutes": 0}
    assert said(changed) == {"/profile_limits/per_hour": (20, 15), "/rest_window": (rest, None)}
    assert (set(said(added)), set(said(made))) == ({"/profiles/a"}, {""})
    assert [each["number"] for each in (paused, limited, changed, added, made)] == [5, 4, 3, 2, 1]
    assert [each["undoable"] for each in (paused, limited, changed, added, made)] == [True, True, True, False, False]
    versions = (await system.http.get("/packages/pkg")).json()["version"]
    assert versions == 5


async def test_a_change_without_a_difference_is_not_recorded(system: System) -> None:
    await system.package("a")
    await system.http.patch("/packages/pkg", json={"profile_limits": {"per_hour": 20}})
    assert [each["number"] for each in await listed(system)] == [2, 1]


async def test_a_change_can_be_undone_and_so_can_the_undo(system: System) -> None:
    await system.package("a")
    await system.http.patch("/packages/pkg", json={"profile_limits": {"per_hour": 15}, "rest_window": None})
    await system.http.patch("/packages/pkg/profiles/a", json={"limits": {"per_recipient_per_day": None}})
    before = (await system.http.get("/packages/pkg")).json()
    undone = await system.http.post("/packages/pkg/changes/3/undo", headers={"Spreader-Operator": "Omar"})
    assert undone.status_code == 200, undone.text
    assert (undone.json()["profile_limits"]["per_hour"], undone.json()["rest_window"]["start"]) == (20, "01:00")
    assert system.snapshot().package.profile_limits.per_hour == 20  # every service reads it
    (newest, _, third, *_) = await listed(system)
    assert (newest["who"], newest["undoes"], third["undone_by"], third["undoable"]) == ("Omar", 3, 5, False)
    again = await system.http.post("/packages/pkg/changes/3/undo")
    assert (again.status_code, again.json()["code"]) == (409, "not-undoable")
    assert "already, by change 5" in again.json()["detail"]
    assert (await system.http.post("/packages/pkg/changes/5/undo")).status_code == 200
    after = (await system.http.get("/packages/pkg")).json()
    kept = ("profile_limits", "rest_window", "gap", "paused")
    assert [after[name] for name in kept] == [before[name] for name in kept]
    assert (await system.http.post("/packages/pkg/changes/4/undo")).status_code == 200
    profile = (await system.http.get("/packages/pkg/profiles/a")).json()
    assert (profile["limits"], profile["effective_limits"]["per_recipient_per_day"]) == ({}, 2)


async def test_a_pause_can_be_undone(system: System) -> None:
    await system.package("a")
    await system.http.post("/packages/pkg/profiles/a/pause")
    await system.http.post("/packages/pkg/pause")
    assert (await system.http.post("/packages/pkg/changes/4/undo")).json()["paused"] is False
    assert (await system.http.post("/packages/pkg/changes/3/undo")).status_code == 200
    assert system.snapshot().package.profiles[0].paused is False


@pytest.mark.parametrize(
    ("number", "status", "detail"),
    [
        (1, 409, "the package was added or removed: remove it or add it again instead"),
        (2, 409, "/profiles/a was added or removed: remove it or add it again instead"),
        (3, 409, "/profile_limits/per_hour has been changed since"),
        (5, 409, "/profiles/a/gateway/account is a setting of the gateway"),
        (99, 404, "no change"),
    ],
)
async def test_a_change_that_cannot_be_undone_says_why(system: System, number: int, status: int, detail: str) -> None:
    await system.package("a")
    await system.http.patch("/packages/pkg", json={"profile_limits": {"per_hour": 15}})
    await system.http.patch("/packages/pkg", json={"profile_limits": {"per_hour": 16}})
    await system.http.patch("/packages/pkg/profiles/a", json={"gateway": {"account": "other"}})
    answer = await system.http.post(f"/packages/pkg/changes/{number}/undo")
    assert (answer.status_code, detail in answer.json()["detail"]) == (status, True), answer.text
    assert system.snapshot().package.profile_limits.per_hour == 16


async def test_an_undo_that_makes_settings_invalid_is_refused(system: System) -> None:
    await system.package("a")
    await system.http.patch("/packages/pkg", json={"gap": {"min_seconds": 60}})
    await system.http.patch("/packages/pkg", json={"gap": {"min_seconds": 10}})
    await system.http.patch("/packages/pkg", json={"gap": {"max_seconds": 30}})
    answer = await system.http.post("/packages/pkg/changes/4/undo")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/gap")
    assert len(await listed(system)) == 5  # a refused one leaves no trace


async def test_the_history_has_pages_and_refuses_a_cursor_of_another_list(system: System) -> None:
    await system.package("a", "b")
    for per_hour in range(10, 14):
        await system.http.patch("/packages/pkg", json={"profile_limits": {"per_hour": per_hour}})
    seen, cursor = list[int](), ""
    while True:
        page = (await system.http.get(f"/packages/pkg/changes?limit=3{cursor}")).json()
        seen += [each["number"] for each in page["data"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [7, 6, 5, 4, 3, 2, 1]
    assert (await system.http.get(f"/packages?limit=3{cursor}")).status_code == 400
    assert (await system.http.get("/packages/nobody/changes")).status_code == 404


def test_the_history_contains_no_credentials() -> None:
    def sealed(secret: str) -> Any:
        gateway = {"driver": "waha", "base_url": "http://w", "account": "s", "sealed": secret, "holder": "h"}
        profile = StoredProfile("a", "pkg", {"name": "A", "gateway": gateway}, False, datetime(2026, 3, 1, tzinfo=UTC))
        return package_document(StoredPackage("pkg", 1, {"name": "P"}, False), [profile])

    first, second = new_key(), new_key()
    (found,) = differences(sealed(first), sealed(second))
    assert found.pointer == "/profiles/a/gateway/credentials"
    assert first not in json.dumps(found.to_json())
    assert not_undoable_reason([found]) is not None


@given(documents, documents)
def test_reverting_differences_restores_the_document(before: Any, after: Any) -> None:
    kept = json.loads(json.dumps([each.to_json() for each in differences(before, after)]))
    assert revert(after, map(Difference.from_json, kept)) == before


def test_a_setting_that_changed_since_is_not_reverted() -> None:
    change = differences({"a": {"b": 1}}, {"a": {"b": 2}})
    assert revert({"a": {"b": 2}, "c": 5}, change) == {"a": {"b": 1}, "c": 5}
    for later in ({"a": {"b": 3}}, {"a": {}}, {"a": 7}, {}):
        with pytest.raises(NotUndoable):
            revert(later, change)
    assert differences(ABSENT, {"a": 1}) == [Difference("", ABSENT, {"a": 1})]
