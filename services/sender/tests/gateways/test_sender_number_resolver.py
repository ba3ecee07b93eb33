"""Number resolver: WAHA sends to a number with two forms in the form that WhatsApp knows."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from sender.core.brazil_numbers import other_form
from sender.core.gateway_answer import GatewayAnswer, SendAccepted, SendRefused
from sender.gateways.credentials import Keyring
from sender.gateways.driver import Driver
from sender.gateways.http_client import GatewayClient
from sender.gateways.number_check import BURST, REMEMBERED_FOR, NumberStore
from sender.gateways.number_resolver import ABSENT, NumberResolver
from sender.gateways.postgres import PostgresNumbers
from sender.gateways.waha import WahaDriver
from sender.testing import NOON, released, reply, send_once
from sender.testing.files import MemoryMedia
from sender.testing.gateway_server import KEYS, GatewayServer, Respond, profile_at
from sender.testing.numbers import MemoryNumbers
from spreader.testing import ManualClock

pytestmark = pytest.mark.postgres

WITH, WITHOUT = "5531987654321", "553187654321"
KNOWN_WITHOUT = Respond(200, {"numberExists": True, "chatId": f"{WITHOUT}@c.us"})
NOBODY = Respond(200, {"numberExists": False})
OpenTo = Callable[..., Awaitable[GatewayAnswer]]
"""Sends an open message to a number: `await open_to(WITH)`."""


@pytest.fixture(params=["memory", "postgres"])
def store(request: pytest.FixtureRequest, engine: AsyncEngine) -> NumberStore:
    return MemoryNumbers() if request.param == "memory" else PostgresNumbers(engine)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def waha(client: GatewayClient, files: MemoryMedia, store: NumberStore, clock: ManualClock) -> Driver:
    return WahaDriver(client, Keyring(KEYS), files, 30, NumberResolver(store, clock, per_hour=60))


@pytest.fixture
def open_to(waha: Driver, server: GatewayServer) -> OpenTo:
    async def send(number: str, profile_id: str = "p1") -> GatewayAnswer:
        return await send_once(waha, released(recipient=number), profile_at("waha", server.base_url, profile_id))

    return send


def asked_for(server: GatewayServer) -> list[str]:
    """The numbers that WhatsApp was asked for."""
    return [
        each.path.partition("phone=")[2].partition("&")[0] for each in server.requests if "check-exists" in each.path
    ]


def sent_to(server: GatewayServer) -> list[str]:
    return [each.body["chatId"] for each in server.sends]


@pytest.mark.parametrize(
    ("number", "other"),
    [
        (WITH, WITHOUT),
        (WITHOUT, WITH),
        ("5511912345678", None),  # never had a form without the 9
        ("553132345678", None),  # a landline
        ("201001234567", None),
        ("5491123456789", None),
        ("55319876543210", None),
    ],
)
def test_only_an_older_brazilian_mobile_number_has_two_forms(number: str, other: str | None) -> None:
    assert other_form(number) == other


@given(st.from_regex(r"55[1-9][0-9]9?[0-9]{8}", fullmatch=True))
def test_the_other_form_of_the_other_form_is_the_number(number: str) -> None:
    other = other_form(number)
    assert other is None or other_form(other) == number


@pytest.mark.parametrize("given_form", [WITH, WITHOUT])
async def test_a_number_is_looked_up_once_and_used_in_the_form_that_whatsapp_knows(
    open_to: OpenTo, server: GatewayServer, clock: ManualClock, given_form: str
) -> None:
    server.will(KNOWN_WITHOUT)
    assert isinstance(await open_to(given_form), SendAccepted)
    clock.forward(REMEMBERED_FOR - timedelta(seconds=1))
    assert isinstance(await open_to(given_form, "p2"), SendAccepted)
    assert (asked_for(server), sent_to(server)) == ([given_form], [f"{WITHOUT}@c.us"] * 2)
    clock.forward(timedelta(seconds=1))
    server.will(KNOWN_WITHOUT)
    await open_to(given_form)
    assert asked_for(server) == [given_form] * 2


async def test_the_other_form_is_looked_up_if_the_first_is_not_on_whatsapp(
    open_to: OpenTo, server: GatewayServer
) -> None:
    server.will(NOBODY, KNOWN_WITHOUT)
    assert isinstance(await open_to(WITH), SendAccepted)
    assert (asked_for(server), sent_to(server)) == ([WITH, WITHOUT], [f"{WITHOUT}@c.us"])


async def test_a_number_that_is_absent_in_both_forms_gets_no_message(open_to: OpenTo, server: GatewayServer) -> None:
    server.will(NOBODY, NOBODY)
    assert await open_to(WITH) == ABSENT
    assert await open_to(WITH) == ABSENT
    assert (asked_for(server), sent_to(server)) == ([WITH, WITHOUT], [])


@pytest.mark.parametrize("number", ["201001234567", "553132345678"])
async def test_other_numbers_are_not_looked_up(open_to: OpenTo, server: GatewayServer, number: str) -> None:
    assert isinstance(await open_to(number), SendAccepted)
    assert (asked_for(server), sent_to(server)) == ([], [f"{number}@c.us"])


async def test_a_reply_is_not_looked_up_and_uses_a_stored_form(
    waha: Driver, open_to: OpenTo, server: GatewayServer
) -> None:
    profile = profile_at("waha", server.base_url)
    assert isinstance(await send_once(waha, reply(recipient=WITH), profile), SendAccepted)
    server.will(KNOWN_WITHOUT)
    await open_to(WITH)
    await send_once(waha, reply(recipient=WITH), profile)
    assert asked_for(server) == [WITH]
    assert sent_to(server) == [f"{WITH}@c.us", f"{WITHOUT}@c.us", f"{WITHOUT}@c.us"]


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (Respond(401, {"message": "Unauthorized"}), "credentials"),
        (Respond(422, {"error": "Session status is not as expected", "status": "FAILED"}), "session"),
        (Respond(500, {"exception": {"message": "Evaluation failed"}}), "transient"),
        (Respond(200, {}), "transient"),
    ],
)
async def test_without_a_lookup_result_nothing_is_sent(
    open_to: OpenTo, server: GatewayServer, answer: Respond, failure: str
) -> None:
    server.will(answer)
    refused = await open_to(WITH)
    assert isinstance(refused, SendRefused)
    assert (refused.failure, sent_to(server)) == (failure, [])
    assert isinstance(await open_to(WITH), SendAccepted)


async def test_an_engine_without_number_checks_sends_to_the_given_number(
    open_to: OpenTo, server: GatewayServer
) -> None:
    server.will(Respond(422, {"message": "The method is not implemented by the engine"}))
    assert isinstance(await open_to(WITH), SendAccepted)
    assert sent_to(server) == [f"{WITH}@c.us"]


async def test_a_hidden_id_is_not_used_as_an_address(open_to: OpenTo, server: GatewayServer) -> None:
    server.will(Respond(200, {"numberExists": True, "chatId": "912345@lid"}))
    await open_to(WITH)
    assert sent_to(server) == [f"{WITH}@c.us"]


async def test_a_lookup_uses_the_rate_limit_and_never_waits_for_it(
    open_to: OpenTo, server: GatewayServer, store: NumberStore, clock: ManualClock
) -> None:
    server.default = lambda asked: (
        Respond(200, {"numberExists": True}) if "check" in asked.path else Respond(201, {"id": "A"})
    )
    people = [f"55319876543{number:02}" for number in range(BURST + 3)]
    for person in people:
        assert isinstance(await open_to(person), SendAccepted)
    assert (asked_for(server), sent_to(server)) == (people, [f"{person}@c.us" for person in people])
    assert not await store.book("p1", clock(), timedelta(minutes=1), BURST)
