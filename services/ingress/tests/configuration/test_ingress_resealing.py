"""Resealing: what an older key sealed gets sealed with the newest key, and callers see no change."""

from dataclasses import replace
from typing import Any

import pytest
import structlog
from prometheus_client import REGISTRY
from sqlalchemy import text

from ingress.configuration import resealer as module
from ingress.configuration.registry import Registry
from ingress.configuration.resealer import EVERY_SECONDS, FIRST_PLACE, Resealer, review, sealed_page
from ingress.testing import CREDENTIALS, SECRET_KEYS, System
from spreader.contract.configuration import Profile
from spreader.vault import Vault, new_key

pytestmark = pytest.mark.postgres

NEW_KEY = new_key()
BOTH, NEW = Vault(f"{NEW_KEY},{SECRET_KEYS}"), Vault(NEW_KEY)
PROFILES = {"a": "cloud_api", "b": "waha", "c": "evolution"}


async def configured(system: System) -> None:
    """Package `pkg` with a profile at each gateway, and package `other` with a profile of the same token as `a`."""
    await system.package()
    for profile_id, driver in PROFILES.items():
        await system.gateway_profile(driver, profile_id)
    await system.package(package_id="other")
    gateway = {"driver": "cloud_api", "account": "d", "credentials": CREDENTIALS["cloud_api"]("a")}
    body = {"profile_id": "d", "name": "D", "phone": "201000000098", "gateway": gateway}
    assert (await system.http.post("/packages/other/profiles", json=body)).status_code == 201
    await system.relay_outbox()


def resealer(system: System, after: float = 0) -> Resealer:
    return Resealer(system.engine, registry(system), BOTH, after)


def registry(system: System) -> Registry:
    return Registry(system.engine, system.clock, lambda: None)


async def pass_over(work: Resealer) -> float:
    """One pass over all profiles. Returns the seconds until the next."""
    while (seconds := await work.run_once()) == 0:
        pass
    return seconds


def published(system: System) -> dict[str, Profile]:
    rows = system.packages.rows.values()
    return {profile.profile_id: profile for row in rows for profile in row.package.profiles}


async def stored(system: System) -> dict[str, str]:
    entries = await sealed_page(system.engine, FIRST_PLACE, 100)
    return {entry.profile_id: entry.sealed for entry in entries}


async def seen(system: System) -> list[Any]:
    """What callers see: bodies, ETags, and the history."""
    paths = ["/packages/pkg", "/packages/other", "/packages/pkg/changes", "/packages/other/profiles/d"]
    answers = [await system.http.get(path) for path in (*paths, *(f"/packages/pkg/profiles/{each}" for each in "abc"))]
    return [(answer.json(), answer.headers.get("etag")) for answer in answers]


def counted(key: str) -> float | None:
    return REGISTRY.get_sample_value("spreader_sealed_credentials", {"key": key})


async def test_all_credentials_get_the_newest_key_and_callers_see_no_change(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PROFILES_AT_ONCE", 2)
    await configured(system)
    before, holder = await seen(system), published(system)["a"].gateway.holder
    work = resealer(system)
    assert await pass_over(work) == EVERY_SECONDS
    await system.relay_outbox()
    for sealed in (await stored(system), {name: each.gateway.sealed or "" for name, each in published(system).items()}):
        opened = {name: dict(NEW.open(name, each)) for name, each in sealed.items()}
        assert opened == {
            **{name: CREDENTIALS[driver](name) for name, driver in PROFILES.items()},
            "d": CREDENTIALS["cloud_api"]("a"),
        }
    assert await seen(system) == before
    assert published(system)["a"].gateway.holder == published(system)["d"].gateway.holder != holder
    assert published(system)["b"].gateway.holder is None
    assert (counted("newest"), counted("older"), counted("unknown")) == (4, 0, 0)
    system.log.envelopes.clear()
    await pass_over(work)
    await system.relay_outbox()
    assert system.log.envelopes == [], "a second pass has nothing to do"


async def test_nothing_is_resealed_before_every_process_can_have_the_key(system: System) -> None:
    await configured(system)
    before = await stored(system)
    assert await pass_over(resealer(system, after=3_600)) == EVERY_SECONDS
    assert await stored(system) == before
    assert (counted("newest"), counted("older")) == (0, 4)
    assert await pass_over(resealer(system, after=100)) < 101, "the pass that seals comes as soon as it may"


async def test_credentials_that_no_key_opens_stop_no_others_and_are_reported_once(system: System) -> None:
    await configured(system)
    lost = Vault(new_key()).seal("a", {"access_token": "x"})
    foreign = Vault(SECRET_KEYS).seal("somebody", {"api_key": "x"})
    statement = text(
        "UPDATE ingress.profile SET settings = jsonb_set(settings, '{gateway,sealed}', to_jsonb(CAST(:sealed AS text)))"
        " WHERE profile_id = :profile_id"
    )
    async with system.engine.begin() as connection:
        await connection.execute(statement, {"sealed": lost, "profile_id": "a"})
        await connection.execute(statement, {"sealed": foreign, "profile_id": "b"})
    work = resealer(system)
    with structlog.testing.capture_logs() as logged:
        await pass_over(work)
        await pass_over(work)
    errors = [line for line in logged if line["log_level"] == "error"]
    assert [(line["profiles"], "SPREADER_SECRET_KEYS" in line["event"]) for line in errors] == [(["a", "b"], True)]
    after = await stored(system)
    assert (after["a"], after["b"]) == (lost, foreign)
    assert [NEW.key_of(after[name]) for name in "cd"] == [NEW.key_ids[0]] * 2
    assert (counted("newest"), counted("unknown")) == (2, 2)


async def test_a_package_that_cannot_be_published_does_not_stop_the_others(system: System) -> None:
    await configured(system)
    async with system.engine.begin() as connection:
        await connection.exec_driver_sql(
            "UPDATE ingress.package SET settings = settings || '{\"timezone\": \"Nowhere\"}' WHERE package_id = 'other'"
        )
    await pass_over(resealer(system))
    after = await stored(system)
    assert {name: NEW.key_of(each) is not None for name, each in after.items()} == {
        "a": True, "b": True, "c": True, "d": False,
    }  # fmt: skip


async def test_a_change_of_an_operator_at_the_same_time_wins(system: System) -> None:
    await configured(system)
    entries = {entry.profile_id: entry for entry in await sealed_page(system.engine, FIRST_PLACE, 100)}
    path = "/packages/pkg/profiles/b"
    other = {**CREDENTIALS["waha"]("b"), "api_key": "another"}
    await system.http.patch(path, json={"gateway": {"credentials": other}})
    fresh = [found for name in "bc" if (found := review(BOTH, entries[name]).fresh) is not None]
    assert len(fresh) == 2
    await registry(system).publish_again("pkg", fresh)
    after = await stored(system)
    assert dict(BOTH.open("b", after["b"])) == other
    assert dict(NEW.open("c", after["c"])) == CREDENTIALS["evolution"]("c")
    etag = (await system.http.get(path)).headers["etag"]
    await pass_over(resealer(system))
    named = await system.http.patch(path, json={"name": "New"}, headers={"If-Match": etag})
    assert named.status_code == 200, "the resealing changed no ETag"


async def test_a_removed_package_is_not_published_again(system: System) -> None:
    await configured(system)
    (entry,) = [each for each in await sealed_page(system.engine, FIRST_PLACE, 100) if each.profile_id == "d"]
    fresh = review(BOTH, replace(entry, holder=None)).fresh
    assert fresh is not None
    assert "holder" not in fresh.fresh
    await system.http.delete("/packages/other")
    await system.relay_outbox()
    system.log.envelopes.clear()
    await registry(system).publish_again("other", [fresh])
    await system.relay_outbox()
    assert system.log.envelopes == []
