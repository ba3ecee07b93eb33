"""Lists of profiles and packages: pages, filters, and the work that a page costs."""

from collections.abc import AsyncGenerator, Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.contract.configuration import Package
from spreader.testing.conformance import checked_client
from stats.core.profile_summary import ProfileRecords
from stats.health.current_state import CurrentState
from stats.testing import StatsHarness, documented, outcome, package, profile

pytestmark = pytest.mark.postgres

NOON = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
KEY = {"Authorization": "Bearer secret"}
SHOP = ("alpha", "beta", "gamma", "delta")


@pytest.fixture
async def harness(engine: AsyncEngine) -> StatsHarness:
    """`beta` is blocked, and the limits of `gamma` are halved."""
    harness = StatsHarness(engine, NOON, package("shop", *map(profile, SHOP)), package("bank", profile("cards")))
    await harness.receive(
        outcome(1, "deferred", NOON, "beta", failure="restricted", until=NOON + 90 * MINUTE),
        outcome(2, "deferred", NOON, "gamma", failure="restricted", until=NOON + MINUTE),
        *(outcome(number, "sent", NOON, "alpha") for number in range(3, 6)),
    )
    await harness.evaluate()
    harness.clock.forward(2 * MINUTE)
    await harness.publish()
    return harness


@pytest.fixture
async def http(harness: StatsHarness) -> AsyncGenerator[httpx.AsyncClient]:
    async with checked_client(harness.app("secret"), "http://stats/api/v1", KEY, documented()) as client:
        yield client


def ids(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return [row["profile_id"] for row in response.json()["data"]]


@pytest.mark.parametrize("path", ["/profiles", "/live"])
async def test_pages_follow_each_other_in_the_order_of_packages_and_ids(http: httpx.AsyncClient, path: str) -> None:
    whole = ids(await http.get(path))
    assert whole == ["cards", "alpha", "beta", "delta", "gamma"]
    response, seen = await http.get(path, params={"limit": 2}), list[str]()
    while "next" in response.links:
        seen += ids(response)
        assert response.json()["next_cursor"] in response.links["next"]["url"]
        response = await http.get(f"http://stats{response.links['next']['url']}")
    assert [*seen, *ids(response)] == whole
    assert response.json()["next_cursor"] is None
    assert ("at" in response.json()) is (path == "/live")


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"package_id": "bank"}, ["cards"]),
        ({"state": "blocked"}, ["beta"]),
        ({"state": "limited"}, ["gamma"]),
        ({"state": "ok", "package_id": "shop"}, ["alpha", "delta"]),
        ({"text": "ELT"}, ["delta"]),
        ({"text": "2010012345"}, ["cards", "alpha", "beta", "delta", "gamma"]),
        ({"text": "nobody"}, []),
        ({"profile_id": ["gamma", "alpha", "nobody"]}, ["alpha", "gamma"]),
        ({"profile_id": ["gamma", "alpha"], "state": "limited"}, ["gamma"]),
    ],
)
async def test_a_list_has_the_profiles_that_meet_all_its_filters(
    http: httpx.AsyncClient, params: dict[str, Any], found: list[str]
) -> None:
    assert ids(await http.get("/profiles", params=params)) == found
    assert ids(await http.get("/live", params=params)) == found


async def test_the_next_page_has_the_same_filters_and_a_cursor_of_another_filter_is_refused(
    http: httpx.AsyncClient,
) -> None:
    first = await http.get("/profiles", params={"state": "ok", "package_id": "shop", "limit": 1})
    following = await http.get(f"http://stats{first.links['next']['url']}")
    assert (ids(first), ids(following)) == (["alpha"], ["delta"])
    other = await http.get("/profiles", params={"cursor": first.json()["next_cursor"], "state": "blocked"})
    assert (other.status_code, other.json()["code"]) == (422, "invalid")
    assert [
        (await http.get("/profiles", params=params)).status_code
        for params in ({"limit": 1001}, {"state": "lost"}, {"text": ""})
    ] == [422, 422, 422]


async def test_a_state_that_changed_since_its_publication_is_not_listed_as_the_old_one(
    harness: StatsHarness, http: httpx.AsyncClient
) -> None:
    harness.clock.forward(91 * MINUTE)
    assert ids(await http.get("/profiles", params={"state": "blocked"})) == []


async def test_a_page_of_ten_thousand_profiles_reads_only_its_own_profiles(engine: AsyncEngine) -> None:
    read: list[int] = []

    class Counted(CurrentState):
        async def records(self, profiles: Collection[str], now: datetime) -> ProfileRecords:
            read.append(len(profiles))
            return await super().records(profiles, now)

    packages: list[Package] = [
        package(f"pkg_{number}", *(profile(f"p_{number}_{index}") for index in range(1_000))) for number in range(10)
    ]
    harness = StatsHarness(engine, NOON, *packages)
    harness.current_state = Counted(harness.store, harness.config.added_at)
    transport = httpx.ASGITransport(harness.app("secret"))
    async with httpx.AsyncClient(transport=transport, base_url="http://stats/api/v1", headers=KEY) as http:
        for params in ({"limit": 50}, {"limit": 50, "text": "p_7"}, {"package_id": "pkg_3"}, {}):
            await http.get("/profiles", params=params)
    assert read == [50, 50, 1_000, 1_000]


async def test_the_figures_of_a_package_are_those_of_its_profiles_together(http: httpx.AsyncClient) -> None:
    first = await http.get("/packages", params={"limit": 1})
    following = await http.get(f"http://stats{first.links['next']['url']}")
    bank, shop = first.json()["data"][0], following.json()["data"][0]
    assert (bank["package_id"], bank["profiles"], bank["open_alerts"]) == (
        "bank", {"ok": 1, "limited": 0, "blocked": 0, "unknown": 0}, 0,
    )  # fmt: skip
    assert (shop["profiles"], shop["open_alerts"]) == ({"ok": 2, "limited": 1, "blocked": 1, "unknown": 0}, 2)
    assert (shop["hour"]["sent"], shop["hour"]["sent_open"], shop["day"]["sent"]) == (3, 3, 3)
    only = await http.get("/packages", params={"package_id": "shop"})
    assert [row["package_id"] for row in only.json()["data"]] == ["shop"]
