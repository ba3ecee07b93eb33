"""Poller and page against in-process HTTP servers that speak the shapes of the ingress and the stats."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from nicegui.testing import User
from nicegui.testing.user_simulation import user_simulation

from console.page import board_page
from console.poller import Poller
from console.settings import ConsoleSettings
from spreader.configuration import Gateway, Package, Profile
from spreader.events import Counts, ProfileState, Windows
from spreader.testing import HandClock

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
GATEWAY = Gateway(driver="simulator", base_url="http://gateway", account="account")


def package(name: str, *profiles: str) -> Package:
    members = tuple(
        Profile(profile_id=each, name=each.title(), phone="201001234567", gateway=GATEWAY) for each in profiles
    )
    return Package(package_id=name, version=1, name=name.title(), profiles=members)


def state(profile: str, sent: int) -> ProfileState:
    counts = Counts(sent=sent, sent_open=sent)
    windows = Windows(hour=counts, three_hours=counts, day=counts)
    return ProfileState(profile_id=profile, package_id="shop", windows=windows, at=NOON)


@dataclass
class Town:
    """What the two services know, and how they behave."""

    packages: list[Package] = field(default_factory=list[Package])
    states: list[ProfileState] = field(default_factory=list[ProfileState])
    away: bool = False
    gibberish: bool = False

    async def list_packages(self, request: web.Request) -> web.Response:
        """One package on each page: the cursor is the number of the next."""
        place = int(request.query.get("cursor", "0"))
        page = [each.model_dump(mode="json") for each in self.packages[place : place + 1]]
        more = str(place + 1) if place + 1 < len(self.packages) else None
        return self._answer(request, {"data": page, "next_cursor": more})

    async def list_profiles(self, request: web.Request) -> web.Response:
        return self._answer(request, {"data": [each.model_dump(mode="json") for each in self.states]})

    def _answer(self, request: web.Request, body: dict[str, object]) -> web.Response:
        if request.headers.get("Authorization") != "Bearer secret":
            return web.json_response({"code": "unauthorized"}, status=401)
        if self.away:
            return web.json_response({"code": "unavailable"}, status=503)
        return web.Response(text="<html>") if self.gibberish else web.json_response(body)


@pytest.fixture
def town() -> Town:
    return Town([package("shop", "sales"), package("bank", "cards")], [state("sales", 5)])


@pytest.fixture
async def url(town: Town) -> AsyncGenerator[str]:
    app = web.Application()
    app.router.add_get("/api/v1/packages", town.list_packages)
    app.router.add_get("/api/v1/profiles", town.list_profiles)
    server = TestServer(app)
    await server.start_server()
    yield str(server.make_url("")).rstrip("/")
    await server.close()


@pytest.fixture
async def poller(url: str) -> AsyncGenerator[Poller]:
    poller = Poller(ConsoleSettings(ingress_url=url, stats_url=url, api_key="secret"), HandClock(NOON))
    await poller.start()
    yield poller
    await poller.stop()


@pytest.fixture
async def user(poller: Poller) -> AsyncGenerator[User]:
    async with user_simulation(lambda: board_page(poller.board, "http://ingress")) as user:
        yield user


def lines(poller: Poller) -> list[str]:
    sections = poller.board().sections
    return [f"{each.name}/{row.name}: {row.bars[0].text} {row.status.text}" for each in sections for row in each.rows]


async def test_the_poller_reads_every_page_and_joins_it_with_the_states(poller: Poller) -> None:
    await poller.turn()
    assert lines(poller) == ["Shop/Sales: 5/20 hourly ● Active", "Bank/Cards: –/20 hourly ○ Unknown"]
    assert poller.board().notices == ()


async def test_what_was_heard_last_stays_while_others_are_away(poller: Poller, town: Town) -> None:
    await poller.turn()
    before = lines(poller)
    town.away = True
    await poller.turn()
    assert lines(poller) == before
    assert [notice.split(":")[0] for notice in poller.board().notices] == [
        "The ingress gives no answer (it answered 503)",
        "The stats give no answer (it answered 503)",
    ]
    town.away, town.states = False, [state("sales", 6)]
    await poller.turn()
    assert (lines(poller)[0], poller.board().notices) == ("Shop/Sales: 6/20 hourly ● Active", ())


@pytest.mark.parametrize(
    ("key", "gibberish", "reachable", "trouble"),
    [
        ("wrong", False, True, "it refuses our key: SPREADER_API_KEY must be the same for all services"),
        (None, False, True, "it refuses our key: SPREADER_API_KEY must be the same for all services"),
        ("secret", True, True, "its answer cannot be read: is it of another version?"),
        ("secret", False, False, "it cannot be reached"),
    ],
)
async def test_why_there_is_no_answer(
    town: Town, url: str, key: str | None, gibberish: bool, reachable: bool, trouble: str
) -> None:
    town.gibberish = gibberish
    where = url if reachable else "http://127.0.0.1:1"
    poller = Poller(ConsoleSettings(ingress_url=where, stats_url=where, api_key=key), HandClock(NOON))
    await poller.start()
    await poller.turn()
    await poller.stop()
    assert [f"({trouble})" in notice for notice in poller.board().notices] == [True, True]


async def test_the_page_shows_the_board_and_follows_it(user: User, poller: Poller, town: Town) -> None:
    await poller.turn()
    await user.open("/")
    await user.should_see("Shop")
    await user.should_see("5/20 hourly")
    await user.should_see("● Active")
    await user.should_see("○ Unknown")
    town.states = [state("sales", 20), state("cards", 0)]
    await poller.turn()
    await user.should_see("20/20 hourly", retries=30)
    await user.should_see("○ Limit reached")
    await user.should_see("● Available")
    await user.should_not_see("○ Unknown")


async def test_the_page_says_when_its_figures_are_old(user: User, poller: Poller, town: Town) -> None:
    town.away = True
    await poller.turn()
    await user.open("/")
    await user.should_see("no figures yet.")
    town.away = False
    await poller.turn()
    await user.should_see("5/20 hourly", retries=30)
    await user.should_not_see("no figures yet.")


async def test_an_empty_system_says_what_to_do(user: User, poller: Poller, town: Town) -> None:
    town.packages.clear()
    await poller.turn()
    await user.open("/")
    await user.should_see("No packages yet")
    town.packages.append(package("shop"))
    await poller.turn()
    await user.should_see("No profiles yet: POST http://ingress/api/v1/packages/shop/profiles", retries=30)
    await user.should_not_see("No packages yet")
