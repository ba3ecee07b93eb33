"""Gateways of profiles over HTTP: credentials are validated, sealed and never shown; checks of gateways and numbers."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
import structlog
from prometheus_client import REGISTRY
from sqlalchemy import text

from ingress.configuration.shared_accounts import SharedAccounts
from ingress.testing import CREDENTIALS, SECRET_KEYS, System, running
from spreader.contract.configuration import Gateway
from spreader.vault import Vault, new_key

CLOUD: dict[str, Any] = {"driver": "cloud_api", "account": "106540", "credentials": CREDENTIALS["cloud_api"]("a")}
WAHA: dict[str, Any] = {
    "driver": "waha", "base_url": "http://10.0.0.7:3000", "credentials": CREDENTIALS["waha"]("a"),
}  # fmt: skip
EVOLUTION: dict[str, Any] = {
    "driver": "evolution", "base_url": "http://127.0.0.1:8080", "credentials": CREDENTIALS["evolution"]("a"),
}  # fmt: skip
PROFILE: dict[str, Any] = {"profile_id": "a", "name": "Sales", "phone": "201001234567"}
CHECK: dict[str, Any] = {
    "ok": True, "session": "working", "quality": "green", "detail": "it answers", "code": None, "took_seconds": 0.1,
}  # fmt: skip


async def add(system: System, gateway: dict[str, Any]) -> Any:
    return await system.http.post("/packages/pkg/profiles", json={**PROFILE, "gateway": gateway})


def gateway_of(system: System) -> Gateway:
    (profile,) = system.snapshot().package.profiles
    return profile.gateway


def opened(system: System) -> dict[str, str]:
    sealed = gateway_of(system).sealed
    assert sealed is not None
    return dict(Vault(SECRET_KEYS).open("a", sealed))


@pytest.mark.parametrize("gateway", [CLOUD, WAHA, EVOLUTION], ids=lambda each: each["driver"])
async def test_credentials_are_sealed_and_in_no_response_event_or_table(
    system: System, gateway: dict[str, Any]
) -> None:
    await system.package()
    answers = [await add(system, gateway)]
    assert answers[0].status_code == 201, answers[0].text
    answers += [
        await system.http.get("/packages/pkg/profiles/a"),
        await system.http.get("/packages/pkg/profiles"),
        await system.http.patch("/packages/pkg/profiles/a", json={"name": "Sales 2"}),
        await system.http.get("/packages/pkg/changes"),
    ]
    shown = answers[0].json()
    names = list(gateway["credentials"])
    assert shown["gateway"]["credentials"] == {"set": True, "names": names}
    assert shown["webhook_url"] == f"/api/v1/webhooks/{gateway['driver']}/pkg/a"
    assert opened(system) == gateway["credentials"]
    sealed = gateway_of(system).sealed or "?"
    told = [answer.text for answer in answers] + [str(each) for each in system.log.envelopes]
    assert not any(secret in text for secret in gateway["credentials"].values() for text in told)
    assert not any(sealed in answer.text for answer in answers)


async def test_the_snapshot_says_when_a_profile_was_added_and_since_when_it_has_its_holder(system: System) -> None:
    """Evidence from before these times does not concern the profile."""
    await system.package()
    added_at = system.clock()
    await system.gateway_profile("cloud_api", "first")
    system.clock.forward(timedelta(hours=1))
    address = "/packages/pkg/profiles/first"
    same = CREDENTIALS["cloud_api"]("first")
    for credentials in (same, {**same, "app_secret": "another"}):
        changed = await system.http.patch(address, json={"gateway": {"credentials": credentials}})
        assert changed.status_code == 200, changed.text
        assert gateway_of(system).holder_since == added_at
    await system.http.patch(address, json={"gateway": {"credentials": {"access_token": "a-newer-one"}}})
    await system.http.patch(address, json={"name": "Another name"})
    (profile,) = system.snapshot().package.profiles
    assert (profile.created_at, profile.gateway.holder_since) == (added_at, system.clock())
    assert "holder_since" not in (await system.http.get(address)).text


async def test_profiles_with_the_same_access_token_have_the_same_holder(system: System) -> None:
    await system.package()
    for profile_id, like in (("a", "x"), ("b", "x"), ("c", "y")):
        await system.gateway_profile("cloud_api", profile_id, like=like)
    await system.gateway_profile("waha", "d")
    holders = [each.gateway.holder for each in system.snapshot().package.profiles]
    assert holders[0] == holders[1] is not None
    assert (len(set(holders[:3])), holders[3]) == (2, None)


async def test_the_cloud_api_has_a_default_address(system: System) -> None:
    await system.package()
    assert (await add(system, CLOUD)).status_code == 201
    assert gateway_of(system).base_url == "https://graph.facebook.com/v23.0"


async def test_a_change_keeps_credentials_that_it_leaves_out(system: System) -> None:
    await system.package()
    await add(system, CLOUD)
    before = opened(system)
    for patch in ({"weight": 5}, {"gateway": {"account": "106541"}}, {"gateway": {"credentials": None}}):
        assert (await system.http.patch("/packages/pkg/profiles/a", json=patch)).status_code == 200
        assert opened(system) == before
    assert gateway_of(system).account == "106541"
    one = {"gateway": {"credentials": {"access_token": "a-newer-one"}}}
    changed = await system.http.patch("/packages/pkg/profiles/a", json=one)
    assert (changed.status_code, "a-newer-one" in changed.text) == (200, False)
    assert opened(system) == {**before, "access_token": "a-newer-one"}
    assert gateway_of(system).holder == Vault(SECRET_KEYS).name("a-newer-one")


@pytest.mark.parametrize("url", ["http://10.0.0.8:3000", "https://10.0.0.7:3000", "http://10.0.0.7:3001"])
async def test_stored_credentials_are_not_sent_to_another_server(system: System, url: str) -> None:
    await system.package()
    await add(system, WAHA)
    moved: dict[str, Any] = {"gateway": {"base_url": url}}
    refused = await system.http.patch("/packages/pkg/profiles/a", json=moved)
    assert [each["pointer"] for each in refused.json()["errors"]] == ["/gateway/credentials"]
    moved["gateway"]["credentials"] = {"api_key": "new"}
    partly = await system.http.patch("/packages/pkg/profiles/a", json=moved)
    assert [each["pointer"] for each in partly.json()["errors"]] == ["/gateway/credentials/hmac_key"]
    assert (refused.status_code, partly.status_code, gateway_of(system).base_url) == (422, 422, WAHA["base_url"])
    moved["gateway"]["credentials"]["hmac_key"] = "newer"
    assert (await system.http.patch("/packages/pkg/profiles/a", json=moved)).status_code == 200
    assert (opened(system), gateway_of(system).base_url) == (moved["gateway"]["credentials"], url)


async def test_the_same_server_keeps_its_credentials(system: System) -> None:
    await system.package()
    await add(system, WAHA)
    same = {"gateway": {"base_url": "http://10.0.0.7:3000/"}}
    assert (await system.http.patch("/packages/pkg/profiles/a", json=same)).status_code == 200
    assert opened(system) == WAHA["credentials"]


async def test_an_account_can_be_added_once(system: System) -> None:
    for package_id in ("pkg", "other"):
        await system.package(package_id=package_id)
    gateway = {**WAHA, "account": "shop"}
    assert (await add(system, gateway)).status_code == 201
    again = {**PROFILE, "profile_id": "b", "gateway": {**gateway, "base_url": "http://10.0.0.7:3000/"}}
    refused = await system.http.post("/packages/other/profiles", json=again)
    (error,) = refused.json()["errors"]
    assert (refused.status_code, error["pointer"], error["code"]) == (409, "/gateway/account", "taken")
    assert error["detail"].startswith("the profile 'a' of the package 'pkg' ")
    free = {**again, "gateway": {**gateway, "account": "other"}}
    added = await system.http.post("/packages/other/profiles", json=free)
    assert [each["pointer"] for each in added.json()["warnings"] if each["pointer"] == "/phone"] == ["/phone"]
    moved = await system.http.patch("/packages/other/profiles/b", json={"gateway": {"account": "shop"}})
    assert (moved.status_code, moved.json()["code"]) == (409, "taken")


async def test_two_requests_at_once_add_an_account_once(system: System) -> None:
    packages = [f"pkg{number}" for number in range(5)]
    for package_id in packages:
        await system.package(package_id=package_id)
    bodies = [{**PROFILE, "profile_id": each, "gateway": {**WAHA, "account": "shop"}} for each in packages]
    answers = await asyncio.gather(
        *(system.http.post(f"/packages/{each['profile_id']}/profiles", json=each) for each in bodies)
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]


async def test_duplicates_that_exist_keep_working(system: System) -> None:
    await system.package()
    await add(system, {**WAHA, "account": "shop"})
    await system.http.post(
        "/packages/pkg/profiles", json={**PROFILE, "profile_id": "b", "gateway": {**WAHA, "account": "b"}}
    )
    async with system.engine.begin() as connection:
        statement = text("UPDATE ingress.profile SET settings = jsonb_set(settings, '{gateway,account}', '\"shop\"')")
        await connection.execute(statement)
    changed = await system.http.patch(
        "/packages/pkg/profiles/b", json={"name": "Second", "gateway": {"account": "shop"}}
    )
    assert changed.status_code == 200
    shared = SharedAccounts(system.engine)
    with structlog.testing.capture_logs() as logged:
        await shared.run_once()
        await shared.run_once()
    assert [line["profiles"] for line in logged] == [("a", "b")], "each group is logged once"
    assert REGISTRY.get_sample_value("spreader_shared_accounts") == 1
    await system.http.delete("/packages/pkg/profiles/b")
    await shared.run_once()
    assert REGISTRY.get_sample_value("spreader_shared_accounts") == 0


async def test_another_driver_starts_without_credentials(system: System) -> None:
    await system.package()
    await add(system, WAHA)
    bare = await system.http.patch("/packages/pkg/profiles/a", json={"gateway": {"driver": "cloud_api"}})
    assert [each["pointer"] for each in bare.json()["errors"]][:2] == [
        "/gateway/account", "/gateway/credentials/access_token",
    ]  # fmt: skip
    whole = await system.http.patch("/packages/pkg/profiles/a", json={"gateway": CLOUD})
    assert (whole.status_code, gateway_of(system).driver, opened(system)) == (200, "cloud_api", CLOUD["credentials"])
    assert (await system.http.patch("/packages/pkg/profiles/a", json={"gateway": {"driver": "simulator"}})).json()[
        "gateway"
    ]["credentials"] == {"set": False, "names": []}
    assert (gateway_of(system).sealed, gateway_of(system).holder) == (None, None)


_SECRETS = CLOUD["credentials"]
WRONG: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    ({**CLOUD, "credentials": {}}, [(f"/gateway/credentials/{name}", "missing") for name in _SECRETS]),
    ({"driver": "cloud_api", "account": "1"}, [(f"/gateway/credentials/{name}", "missing") for name in _SECRETS]),
    ({**CLOUD, "account": None}, [("/gateway/account", "missing")]),
    ({**CLOUD, "credentials": {**_SECRETS, "api_key": "x"}}, [("/gateway/credentials/api_key", "extra_forbidden")]),
    ({**CLOUD, "credentials": {**_SECRETS, "app_secret": ""}}, [("/gateway/credentials/app_secret", "blank")]),
    ({**CLOUD, "credentials": {**_SECRETS, "app_secret": " "}}, [("/gateway/credentials/app_secret", "blank")]),
    ({**CLOUD, "credentials": {**_SECRETS, "app_secret": 7}}, [("/gateway/credentials/app_secret", "string_type")]),
    ({**CLOUD, "credentials": {**_SECRETS, "app_secret": "x\n"}}, [("/gateway/credentials/app_secret", "secret")]),
    ({**CLOUD, "credentials": "secret"}, [("/gateway/credentials", "dict_type")]),
    ({**WAHA, "base_url": None}, [("/gateway/base_url", "missing")]),
    ({**WAHA, "base_url": "http://user:pass@10.0.0.7:3000"}, [("/gateway/base_url", "value_error")]),
    ({**EVOLUTION, "base_url": None}, [("/gateway/base_url", "missing")]),
    ({**WAHA, "credentials": {"api_key": "x"}}, [("/gateway/credentials/hmac_key", "missing")]),
]


async def test_invalid_credentials_are_refused_by_field_and_never_shown(system: System) -> None:
    await system.package()
    for gateway, expected in WRONG:
        answer = await add(system, gateway)
        found = [(each["pointer"], each["code"]) for each in answer.json()["errors"]]
        assert (answer.status_code, found) == (422, expected), gateway
        assert not any(secret in answer.text for secret in _SECRETS.values())
        assert "pass@" not in answer.text
    assert (await system.http.get("/packages/pkg/profiles")).json()["data"] == []


async def test_without_an_encryption_key_the_problem_names_the_setting(system: System) -> None:
    await system.package()
    async with running(system.engine, system.clock(), secret_keys=None) as keyless:
        answer = await add(keyless, CLOUD)
        assert (answer.status_code, answer.json()["code"]) == (503, "secret-keys")
        assert "SPREADER_SECRET_KEYS" in answer.json()["detail"]
        assert (await add(keyless, {"driver": "simulator"})).status_code == 201


async def test_credentials_of_a_lost_key_are_a_503_and_can_be_set_again(system: System) -> None:
    await system.package()
    await add(system, WAHA)
    key = new_key()
    async with running(system.engine, system.clock(), secret_keys=key) as other:
        other.packages.set("pkg", system.snapshot())
        refused = await other.http.post("/webhooks/waha/pkg/a", content=b"{}")
        assert (refused.status_code, "SPREADER_SECRET_KEYS" in refused.json()["detail"]) == (503, True)
        path = "/packages/pkg/profiles/a"
        part = await other.http.patch(path, json={"gateway": {"credentials": {"api_key": "x"}}})
        assert [each["pointer"] for each in part.json()["errors"]] == ["/gateway/credentials/hmac_key"]
        whole = await other.http.patch(path, json={"gateway": {"credentials": WAHA["credentials"]}})
        assert whole.status_code == 200
        newest = max((system, other), key=lambda each: each.snapshot().package.version)  # the relay of either sent it
        assert dict(Vault(key).open("a", gateway_of(newest).sealed or "")) == WAHA["credentials"]


async def test_a_new_profile_is_checked_and_added_also_without_the_sender(system: System) -> None:
    await system.package()
    away = (await add(system, WAHA)).json()
    assert (away["check"], away["warnings"][0]["pointer"]) == (None, "/gateway")
    system.sender.responses["/profiles/check"] = CHECK
    changed = (await system.http.patch("/packages/pkg/profiles/a", json={"gateway": {"account": "sales"}})).json()
    assert (changed["check"], changed["warnings"]) == (CHECK, [])
    path, asked = system.sender.queries[-1]
    gateway = gateway_of(system)
    assert (path, asked) == (
        "/profiles/check",
        {
            "package_id": "pkg", "profile_id": "a", "driver": "waha", "base_url": WAHA["base_url"],
            "account": "sales", "sealed": gateway.sealed,
        },
    )  # fmt: skip
    named = (await system.http.patch("/packages/pkg/profiles/a", json={"name": "Other"})).json()
    assert "check" not in named


async def test_a_profile_can_be_checked_by_package_and_by_id(system: System) -> None:
    await system.package("s")
    for path in ("/packages/pkg/profiles/s/check", "/profiles/s/check"):
        assert (await system.http.post(path)).status_code == 503
        system.sender.responses["/profiles/check"] = CHECK
        assert (await system.http.post(path)).json() == {"profile_id": "s", **CHECK}
        del system.sender.responses["/profiles/check"]
    assert (await system.http.post("/profiles/none/check")).status_code == 404
    assert (await system.http.post("/packages/pkg/profiles/none/check")).status_code == 404


async def test_numbers_are_shared_among_the_profiles_that_can_check_them(system: System) -> None:
    await system.package()
    for driver, profile_id in (("waha", "a"), ("evolution", "b"), ("cloud_api", "c")):
        await system.gateway_profile(driver, profile_id)
    people = [f"20100000001{number}" for number in range(4)]
    told = [{"number": each, "exists": True, "checked_at": "2026-06-01T12:00:00Z", "detail": "on WhatsApp"}
            for each in people[:3]]  # fmt: skip
    system.sender.responses["/numbers/check"] = {"numbers": told}
    system.sender.queries.clear()
    answer = await system.http.post("/packages/pkg/numbers/check", json={"numbers": [*people, people[0]]})
    assert answer.status_code == 200, answer.text
    found = answer.json()["numbers"]
    assert [(each["number"], each["exists"], each["profile_id"]) for each in found] == [
        (people[0], True, "a"), (people[1], True, "b"), (people[2], True, "a"), (people[3], None, "b"),
    ]  # fmt: skip
    asked = {body["profile_id"]: body["numbers"] for _, body in system.sender.queries}
    assert json.dumps(asked) == json.dumps({"a": [people[0], people[2]], "b": [people[1], people[3]]})
    system.sender.responses.clear()
    assert (await system.http.post("/packages/pkg/numbers/check", json={"numbers": people})).status_code == 503
    many = {"numbers": [f"2010000{number:05d}" for number in range(101)]}
    assert (await system.http.post("/packages/pkg/numbers/check", json=many)).status_code == 422
