"""Packages and profiles over HTTP: responses, published snapshots, and refusals."""

import asyncio
from typing import Any

from ingress.testing import System
from spreader.contract.configuration import ProfileLimits

THE_SHAPE: dict[str, Any] = {
    "package_id": "orders",
    "name": "E-Commerce Orders",
    "timezone": "Africa/Cairo",
    "distribution": "round_robin",
    "limits": {"per_day": None, "concurrent_sends": 10},
    "profile_limits": {
        "per_hour": 20, "per_3_hours": 50, "per_day": 120, "new_contacts_per_day": None, "per_recipient_per_day": 2,
    },
    "rest_window": {"start": "01:00", "hours": 4},
    "gap": {"min_seconds": None, "max_seconds": None, "rush_over": 10},
}  # fmt: skip
PROFILE: dict[str, Any] = {
    "profile_id": "profile_1",
    "name": "Sales #1",
    "phone": "201001234567",
    "weight": None,
    "limits": {},
    "gateway": {"driver": "simulator", "credentials": {"secret": "s3cr3t"}},
}


def within(shape: Any, answer: Any) -> Any:
    """What an answer says of the fields of a shape: more fields are welcome."""
    if not isinstance(shape, dict):
        return answer
    return {name: within(part, answer[name]) for name, part in shape.items()}


async def test_a_package_is_returned_as_sent_and_published(system: System) -> None:
    answer = await system.http.post("/packages", json=THE_SHAPE)
    assert answer.status_code == 201
    assert answer.headers["location"] == "/api/v1/packages/orders"
    package = answer.json()
    assert within(THE_SHAPE, package) == THE_SHAPE
    assert (package["version"], package["paused"], package["warnings"]) == (1, False, [])
    assert system.snapshot("orders").package.timezone == "Africa/Cairo"
    read = (await system.http.get("/packages/orders")).json()
    assert {**read, "warnings": []} == package


async def test_settings_that_are_left_out_have_their_defaults(system: System) -> None:
    package = (await system.http.post("/packages", json={"name": "Orders"})).json()
    assert package["package_id"].startswith("pkg_")
    same = {name: THE_SHAPE[name] for name in ("distribution", "limits", "profile_limits", "rest_window", "gap")}
    assert within(same, package) == same
    added = ("active_windows", "recipient_quiet_hours", "warm_up")
    assert [package[name] for name in added] == [[], None, {"days": 14, "from_share": 0.2}]
    assert package["profile_limits"]["unanswered_per_30_days"] == 300


async def test_a_profile_is_returned_without_its_credentials(system: System) -> None:
    await system.package()
    answer = await system.http.post("/packages/pkg/profiles", json=PROFILE)
    assert answer.status_code == 201
    profile = answer.json()
    place = {"driver": "simulator", "base_url": "http://127.0.0.1:8090", "account": "profile_1"}
    assert profile["gateway"] == {**place, "credentials": {"set": False, "names": []}}
    assert "s3cr3t" not in answer.text
    (snapshot,) = system.snapshot().package.profiles
    assert (snapshot.profile_id, snapshot.gateway.account, snapshot.limits) == (
        "profile_1",
        "profile_1",
        ProfileLimits(),
    )
    assert not any("s3cr3t" in str(each) for each in system.log.envelopes)
    assert (await system.http.get("/packages/pkg")).json()["profile_ids"] == ["profile_1"]


async def test_a_limit_of_a_profile_can_follow_the_package_again(system: System) -> None:
    await system.package("a", profile_limits={"per_hour": 30, "per_day": 90})
    url, own = "/packages/pkg/profiles/a", {"per_hour": 7, "per_recipient_per_day": None}
    await system.http.patch(url, json={"limits": own})
    answer = await system.http.patch(url, json={"limits": dict.fromkeys(own, "package")})
    assert (answer.status_code, answer.json()["limits"]) == (200, {})
    (profile,) = system.snapshot().package.profiles
    assert profile.limits == ProfileLimits(per_hour=30, per_day=90, per_recipient_per_day=2)
    wrong = await system.http.patch(url, json={"limits": {"per_hour": "parent", "pace": "package"}})
    assert sorted(each["pointer"] for each in wrong.json()["errors"]) == ["/limits/pace", "/limits/per_hour"]


async def test_a_profile_follows_the_package_limits_that_it_does_not_override(system: System) -> None:
    await system.package("a")
    await system.http.patch("/packages/pkg/profiles/a", json={"limits": {"per_hour": 7, "per_recipient_per_day": None}})
    await system.http.patch("/packages/pkg", json={"profile_limits": {"per_hour": 30, "per_day": 90}})
    (profile,) = system.snapshot().package.profiles
    assert profile.limits == ProfileLimits(per_hour=7, per_day=90, per_recipient_per_day=None)
    answer = (await system.http.patch("/packages/pkg/profiles/a", json={"limits": {"per_hour": None}})).json()
    assert answer["limits"] == {"per_hour": None, "per_recipient_per_day": None}
    assert answer["effective_limits"]["per_hour"] == 30


async def test_a_patch_changes_only_what_it_names(system: System) -> None:
    await system.http.post("/packages", json=THE_SHAPE)
    changed = (await system.http.patch("/packages/orders", json={"gap": {"rush_over": 5}, "rest_window": None})).json()
    expected = {**THE_SHAPE, "gap": {**THE_SHAPE["gap"], "rush_over": 5}, "rest_window": None}
    assert within(expected, changed) == expected
    assert changed["version"] == 2


async def test_a_pause_is_shown_and_published_until_it_is_resumed(system: System) -> None:
    await system.package("a", "b")
    assert (await system.http.post("/packages/pkg/profiles/a/pause")).json()["paused"] is True
    assert [each.paused for each in system.snapshot().package.profiles] == [True, False]
    await system.http.post("/packages/pkg/profiles/a/resume")
    assert (await system.http.post("/packages/pkg/pause")).json()["paused"] is True
    package = system.snapshot().package
    assert ([each.paused for each in package.profiles], package.paused) == ([False, False], True)
    assert (await system.http.post("/packages/pkg/resume")).json()["paused"] is False


async def test_a_deleted_package_leaves_a_record_and_its_id_continues_the_versions(system: System) -> None:
    await system.package("a")
    assert (await system.http.delete("/packages/pkg")).status_code == 204
    removal = system.snapshot()
    assert (removal.removed, removal.package.version, removal.package.profiles) == (True, 3, ())
    assert removal.package.paused  # a reader older than `removed` then sends nothing
    assert (await system.http.get("/packages/pkg")).status_code == 404
    assert (await system.http.get("/packages/pkg/profiles/a")).status_code == 404
    await system.package("a")
    assert system.snapshot().package.version == 5


async def test_a_deleted_profile_may_be_added_to_another_package(system: System) -> None:
    await system.package("a")
    assert (await system.http.delete("/packages/pkg/profiles/a")).status_code == 204
    assert system.snapshot().package.profiles == ()
    await system.package("a", package_id="other")


async def test_an_id_in_use_is_a_409_that_names_the_field(system: System) -> None:
    await system.package("profile_1")
    again = await system.http.post("/packages", json={"package_id": "pkg", "name": "Twice"})
    assert (again.status_code, again.json()["errors"][0]["pointer"]) == (409, "/package_id")
    await system.package(package_id="other")
    elsewhere = await system.http.post("/packages/other/profiles", json=PROFILE)
    assert (elsewhere.status_code, elsewhere.json()["errors"][0]["pointer"]) == (409, "/profile_id")
    assert system.snapshot("other").package.version == 1


async def test_the_last_snapshot_contains_all_concurrent_changes(system: System) -> None:
    await system.package()
    bodies = [{**PROFILE, "profile_id": f"p{number}"} for number in range(8)]
    answers = await asyncio.gather(*(system.http.post("/packages/pkg/profiles", json=body) for body in bodies))
    assert [answer.status_code for answer in answers] == [201] * 8
    package = system.snapshot().package
    assert (package.version, len(package.profiles)) == (9, 8)


async def test_a_list_has_pages_whose_cursors_fit_no_other_list(system: System) -> None:
    await system.package("a", "b", "c", "d", "e")
    seen, path = list[str](), "/packages/pkg/profiles?limit=2"
    cursors = list[str]()
    while path:
        page = await system.http.get(path)
        seen += [each["profile_id"] for each in page.json()["data"]]
        cursor = page.json()["next_cursor"]
        assert ("link" in page.headers) == (cursor is not None)
        cursors += [cursor] if cursor else []
        path = f"/packages/pkg/profiles?limit=2&cursor={cursor}" if cursor else ""
    assert (seen, len(cursors)) == (["a", "b", "c", "d", "e"], 2)
    wrong = await system.http.get(f"/packages?cursor={cursors[0]}")
    assert (wrong.status_code, wrong.json()["code"]) == (400, "cursor")
    for nonsense in ("x", "%00", "W10", "bnVsbA"):
        assert (await system.http.get(f"/packages?cursor={nonsense}")).status_code == 400
    assert (await system.http.get("/packages?limit=0")).json()["errors"][0]["pointer"] == "/query/limit"


ODD_LIMITS: list[tuple[dict[str, Any], list[str]]] = [
    ({"profile_limits": {"per_hour": 60}}, ["/profile_limits/per_hour"]),
    ({"profile_limits": {"per_hour": 130, "per_3_hours": 121}},
     ["/profile_limits/per_hour", "/profile_limits/per_hour", "/profile_limits/per_3_hours"]),
    ({"profile_limits": {"per_hour": 20, "per_3_hours": 50}, "limits": {"per_day": 100}}, ["/limits/per_day"]),
    ({"limits": {"per_day": 120}}, []),
]  # fmt: skip


async def test_unlikely_limits_are_accepted_with_a_warning(system: System) -> None:
    await system.package()
    for patch, pointers in ODD_LIMITS:
        answer = await system.http.patch("/packages/pkg", json=patch)
        assert answer.status_code == 200
        assert [each["pointer"] for each in answer.json()["warnings"]] == pointers


BAD_PACKAGES: list[tuple[dict[str, Any], str]] = [
    ({"name": None}, "/name"),
    ({"name": " "}, "/name"),
    ({"name": "a\0b"}, "/name"),
    ({"timezone": "Mars/Olympus"}, "/timezone"),
    ({"distribution": "fair"}, "/distribution"),
    ({"profile_limits": {"per_hour": 0}}, "/profile_limits/per_hour"),
    ({"profile_limits": {"per_hour": -1}}, "/profile_limits/per_hour"),
    ({"profile_limits": {"per_hour": "20"}}, "/profile_limits/per_hour"),
    ({"profile_limits": {"per_hour": True}}, "/profile_limits/per_hour"),
    ({"profile_limits": {"per_hour": 2.5}}, "/profile_limits/per_hour"),
    ({"profile_limits": {"per_hour": 10**30}}, "/profile_limits/per_hour"),
    ({"profile_limits": {"per_day": None}}, "/profile_limits/per_day"),
    ({"limits": {"concurrent_sends": 0}}, "/limits/concurrent_sends"),
    ({"limits": None}, "/limits"),
    ({"rest_window": {"hours": 24}}, "/rest_window/hours"),
    ({"rest_window": {"hours": 0}}, "/rest_window/hours"),
    ({"rest_window": {"start": "25:00"}}, "/rest_window/start"),
    ({"rest_window": {"start": 3600}}, "/rest_window/start"),
    ({"gap": {"min_seconds": 20, "max_seconds": 10}}, "/gap"),
    ({"gap": {"min_seconds": 0}}, "/gap/min_seconds"),
    ({"gap": {"rush_over": True}}, "/gap/rush_over"),
    ({"colour": "red"}, "/colour"),
    ({"package_id": "other"}, "/package_id"),
]


async def test_an_invalid_setting_is_refused_and_changes_nothing(system: System) -> None:
    await system.package()
    for patch, pointer in BAD_PACKAGES:
        answer = await system.http.patch("/packages/pkg", json=patch)
        found = [each["pointer"] for each in answer.json()["errors"]]
        assert (patch, answer.status_code, found) == (patch, 422, [pointer])
        assert answer.headers["content-type"] == "application/problem+json"
    assert (await system.http.get("/packages/pkg")).json()["version"] == 1


BAD_PROFILES: list[tuple[dict[str, Any], str, str]] = [
    ({"phone": "+201001234567"}, "/phone", "phone_number"),
    ({"phone": 201001234567}, "/phone", "string_type"),
    ({"weight": 0}, "/weight", "greater_than_equal"),
    ({"weight": "5"}, "/weight", "int_type"),
    ({"profile_id": "a b"}, "/profile_id", "string_pattern_mismatch"),
    ({"limits": {"per_hour": 0}}, "/limits/per_hour", "greater_than_equal"),
    ({"limits": {"per_minute": 1}}, "/limits/per_minute", "extra_forbidden"),
    ({"gateway": {"driver": "pigeon"}}, "/gateway/driver", "literal_error"),
    ({"gateway": {"driver": "simulator", "base_url": "ftp://x"}}, "/gateway/base_url", "string_pattern_mismatch"),
    ({"gateway": {"driver": "simulator", "account": "a/../b"}}, "/gateway/account", "string_pattern_mismatch"),
    ({"gateway": {}}, "/gateway/driver", "missing"),
]


async def test_an_invalid_profile_is_refused(system: System) -> None:
    await system.package()
    for wrong, pointer, code in BAD_PROFILES:
        answer = await system.http.post("/packages/pkg/profiles", json={**PROFILE, **wrong})
        found = [(each["pointer"], each["code"]) for each in answer.json()["errors"]]
        assert (wrong, answer.status_code, found) == (wrong, 422, [(pointer, code)])


async def test_a_change_of_an_unknown_package_or_profile_is_a_404(system: System) -> None:
    await system.package("a")
    calls = [
        system.http.get("/packages/no"),
        system.http.patch("/packages/no", json={}),
        system.http.delete("/packages/no"),
        system.http.post("/packages/no/pause"),
        system.http.post("/packages/no/profiles", json=PROFILE),
        system.http.get("/packages/no/profiles"),
        system.http.patch("/packages/pkg/profiles/no", json={}),
        system.http.delete("/packages/pkg/profiles/no"),
        system.http.post("/packages/pkg/profiles/no/pause"),
        system.http.get("/packages/a%20b"),
        system.http.get("/packages/%00"),
    ]
    answers = await asyncio.gather(*calls)
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(404, "not-found")] * len(calls)
    assert system.snapshot().package.version == 2


async def test_a_list_of_profiles_can_name_the_profiles(system: System) -> None:
    """The page of an operator asks only for the profiles that it shows."""
    await system.package("a", "b", "c")
    await system.package("d", package_id="other")
    names = {"profile_id": ["c", "a", "d", "nobody"]}
    found = await system.http.get("/packages/pkg/profiles", params=names)
    assert [row["profile_id"] for row in found.json()["data"]] == ["a", "c"]
    first = await system.http.get("/packages/pkg/profiles", params={**names, "limit": 1})
    following = await system.http.get(f"http://test{first.links['next']['url']}")
    assert [row["profile_id"] for row in following.json()["data"]] == ["c"]
    assert (await system.http.get("/packages/pkg/profiles?profile_id=no%20id")).status_code == 422
