"""Hosts: one that is slow or down does not slow the others; and no secret is ever shown."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable
from datetime import timedelta

import pytest
import structlog.testing
from prometheus_client import generate_latest

from sender.core.circuit_breaker import BreakerPolicy
from sender.gateways.driver import Driver
from sender.gateways.http_client import GatewayCall, GatewayClient, HttpResponse, NoResponse, NotReached, Timeouts
from sender.ledger.postgres import DeliveryLedger
from sender.testing import PHONE, FixedPackages, released
from sender.testing.gateway_server import SECRETS, GatewayServer, HangUp, Respond, profile_at, serve_gateway
from sender.testing.lane_runner import run_lane, statuses
from spreader.contract.configuration import Driver as Name

pytestmark = pytest.mark.postgres

MakeLedger = Callable[..., DeliveryLedger]
QUICK = BreakerPolicy(failures_max=3, first_pause=timedelta(seconds=60), longest_pause=timedelta(seconds=60))


@pytest.fixture
async def other() -> AsyncGenerator[GatewayServer]:
    async with serve_gateway(GatewayServer()) as served:
        yield served


@pytest.fixture
async def wary() -> AsyncGenerator[GatewayClient]:
    client = GatewayClient("wary", 10, Timeouts(connect_seconds=2, call_seconds=2), QUICK)
    await client.start()
    yield client
    await client.stop()


def post(url: str) -> GatewayCall:
    return GatewayCall("POST", f"{url}/messages", {}, json={})


async def test_200_slow_deliveries_do_not_delay_a_fast_one(
    ledger: MakeLedger, drivers: dict[str, Driver], wire: GatewayServer, other: GatewayServer
) -> None:
    """All in one partition; the slow ones have not been answered when the fast one is."""
    answers = asyncio.Event()
    wire.default = lambda asked: Respond(200, {"messages": [{"id": "wamid.slow"}]}, after=answers)
    configured = FixedPackages((profile_at("cloud_api", wire.base_url), profile_at("cloud_api", other.base_url, "p2")))
    book = ledger("open")
    book = DeliveryLedger(
        book.engine, book.deduplicator, "open", "me", book.lease, host_of=lambda _, profile_id: profile_id
    )
    slow = [released(f"m{number}") for number in range(200)]
    fast = released("fast").model_copy(update={"profile_id": "p2"})
    async with run_lane(book, drivers["cloud_api"], packages=configured, limit=64) as sender:
        await sender.receive(*slow, fast)
        (first,) = await sender.outcomes(1)
        assert (first.message_id, first.status) == ("fast", "sent")
        # Every slot that is left goes to hosts that answer.
        await wire.until(lambda seen: len(seen.requests) == 51)
        more = [fast.model_copy(update={"delivery_id": f"dlv_{n}", "message_id": f"n{n}"}) for n in range(30)]
        await sender.receive(*more)
        await sender.outcomes(31)
        assert len(wire.requests) == 51
        answers.set()
        assert statuses(await sender.outcomes(231)) == {"sent": 231}


async def test_a_host_that_answers_nothing_is_let_alone_and_the_others_are_not_slowed(
    wary: GatewayClient, wire: GatewayServer, other: GatewayServer
) -> None:
    wire.will(*[HangUp()] * 9)
    assert [type(await wary.call(post(wire.base_url))) for _ in range(5)] == [NoResponse] * 3 + [NotReached] * 2
    assert len(wire.requests) == 3
    assert isinstance(await wary.call(post(other.base_url)), HttpResponse)


async def test_a_host_that_is_down_is_asked_three_times_and_then_not(wary: GatewayClient) -> None:
    with socket.socket() as bound:  # bound and not listening: a connection is refused
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        replies = [await wary.call(post(url)) for _ in range(5)]
    assert [isinstance(each, NotReached) and "cannot be reached" in each.detail for each in replies] == [True] * 3 + [
        False
    ] * 2
    assert isinstance(replies[-1], NotReached)
    assert timedelta(0) < (replies[-1].retry_after or timedelta(0)) <= timedelta(seconds=60)


async def test_a_proxy_that_speaks_for_a_gateway_that_is_away_opens_the_breaker_too(
    wary: GatewayClient, wire: GatewayServer
) -> None:
    wire.will(*[Respond(503)] * 9)
    for _ in range(4):
        await wary.call(post(wire.base_url))
    assert len(wire.requests) == 3


async def test_a_gateways_own_error_is_an_answer(wary: GatewayClient, wire: GatewayServer) -> None:
    wire.will(*[Respond(503, {"error": {"code": 131016}})] * 9)
    for _ in range(9):
        assert isinstance(await wary.call(post(wire.base_url)), HttpResponse)


@pytest.mark.parametrize("address", ["", "nonsense", "http://", "http://[::1", "http://host:port"])
async def test_an_address_that_cannot_be_read_is_a_gateway_that_is_away(wary: GatewayClient, address: str) -> None:
    assert isinstance(await wary.call(GatewayCall("GET", address, {})), NotReached)


@pytest.mark.parametrize("driver", ["cloud_api", "waha", "evolution"])
async def test_no_token_and_no_full_number_is_in_a_log_line_a_metric_or_an_outcome(
    ledger: MakeLedger,
    drivers: dict[str, Driver],
    wire: GatewayServer,
    driver: Name,
    caplog: pytest.LogCaptureFixture,
) -> None:
    token = SECRETS["cloud_api"]["access_token"]
    words = f"the number must be known: {PHONE} to {token}"
    refusals = [
        Respond(400, {"error": {"code": 131026, "message": words}, "message": words}),
        Respond(401, {"error": {"code": 190, "message": words}, "message": words}),
        Respond(500, {"exception": {"message": words}, "request": {"body": {"chatId": PHONE}}}),
        Respond(200, {"messages": "no list", "key": "no key"}),
        HangUp(),
    ]
    configured = FixedPackages((profile_at(driver, wire.base_url),))
    caplog.set_level("DEBUG")
    wire.will(*refusals)
    with structlog.testing.capture_logs() as lines:
        async with run_lane(ledger("open"), drivers[driver], packages=configured) as sender:
            for number in range(len(refusals)):
                await sender.receive(released(f"m{number}"))
                await wire.until(lambda seen: len(seen.requests) == number + 1)  # noqa: B023
            outcomes = await sender.outcomes(2)
    told = "".join(outcome.model_dump_json(exclude={"recipient"}) for outcome in outcomes)
    shown = caplog.text + str(lines) + told + generate_latest().decode()
    assert "delivery not sent" in shown
    for secret in [*SECRETS[driver].values(), token, PHONE, PHONE[:9]]:
        assert secret not in shown
