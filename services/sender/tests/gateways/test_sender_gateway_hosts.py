"""Gateway hosts: one that is slow or down does not slow the others; and no secret is logged or published."""

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
    make_ledger: MakeLedger, drivers: dict[str, Driver], server: GatewayServer, other: GatewayServer
) -> None:
    """All are in one partition; the slow ones are still unanswered when the fast one is sent."""
    answers = asyncio.Event()
    server.default = lambda asked: Respond(200, {"messages": [{"id": "wamid.slow"}]}, after=answers)
    configured = FixedPackages(
        (profile_at("cloud_api", server.base_url), profile_at("cloud_api", other.base_url, "p2"))
    )
    ledger = make_ledger("open")
    ledger = DeliveryLedger(
        ledger.engine, ledger.deduplicator, "open", "me", ledger.lease, host_of=lambda _, profile_id: profile_id
    )
    slow = [released(f"m{number}") for number in range(200)]
    fast = released("fast").model_copy(update={"profile_id": "p2"})
    async with run_lane(ledger, drivers["cloud_api"], packages=configured, limit=64) as sender:
        await sender.receive(*slow, fast)
        (first,) = await sender.outcomes(1)
        assert (first.message_id, first.status) == ("fast", "sent")
        # Every slot that is left goes to hosts that answer.
        await server.until(lambda seen: len(seen.requests) == 51)
        more = [fast.model_copy(update={"delivery_id": f"dlv_{n}", "message_id": f"n{n}"}) for n in range(30)]
        await sender.receive(*more)
        await sender.outcomes(31)
        assert len(server.requests) == 51
        answers.set()
        assert statuses(await sender.outcomes(231)) == {"sent": 231}


async def test_a_silent_host_opens_its_breaker_and_others_are_not_slowed(
    wary: GatewayClient, server: GatewayServer, other: GatewayServer
) -> None:
    server.will(*[HangUp()] * 9)
    assert [type(await wary.call(post(server.base_url))) for _ in range(5)] == [NoResponse] * 3 + [NotReached] * 2
    assert len(server.requests) == 3
    assert isinstance(await wary.call(post(other.base_url)), HttpResponse)


async def test_a_host_that_is_down_is_called_three_times_and_then_not(wary: GatewayClient) -> None:
    with socket.socket() as bound:  # bound and not listening: a connection is refused
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        replies = [await wary.call(post(url)) for _ in range(5)]
    assert [isinstance(each, NotReached) and "cannot be reached" in each.detail for each in replies] == [True] * 3 + [
        False
    ] * 2
    assert isinstance(replies[-1], NotReached)
    assert timedelta(0) < (replies[-1].retry_after or timedelta(0)) <= timedelta(seconds=60)


async def test_a_proxys_error_for_an_unavailable_gateway_opens_the_breaker(
    wary: GatewayClient, server: GatewayServer
) -> None:
    server.will(*[Respond(503)] * 9)
    for _ in range(4):
        await wary.call(post(server.base_url))
    assert len(server.requests) == 3


async def test_a_gateways_own_error_counts_as_an_answer(wary: GatewayClient, server: GatewayServer) -> None:
    server.will(*[Respond(503, {"error": {"code": 131016}})] * 9)
    for _ in range(9):
        assert isinstance(await wary.call(post(server.base_url)), HttpResponse)


@pytest.mark.parametrize("address", ["", "nonsense", "http://", "http://[::1", "http://host:port"])
async def test_an_invalid_address_counts_as_not_reached(wary: GatewayClient, address: str) -> None:
    assert isinstance(await wary.call(GatewayCall("GET", address, {})), NotReached)


@pytest.mark.parametrize("driver", ["cloud_api", "waha", "evolution"])
async def test_no_token_and_no_full_number_is_in_a_log_line_a_metric_or_an_outcome(
    make_ledger: MakeLedger,
    drivers: dict[str, Driver],
    server: GatewayServer,
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
    configured = FixedPackages((profile_at(driver, server.base_url),))
    caplog.set_level("DEBUG")
    server.will(*refusals)
    with structlog.testing.capture_logs() as lines:
        async with run_lane(make_ledger("open"), drivers[driver], packages=configured) as sender:
            for number in range(len(refusals)):
                await sender.receive(released(f"m{number}"))
                await server.until(lambda seen: len(seen.requests) == number + 1)  # noqa: B023
            outcomes = await sender.outcomes(2)
    published = "".join(outcome.model_dump_json(exclude={"recipient"}) for outcome in outcomes)
    shown = caplog.text + str(lines) + published + generate_latest().decode()
    assert "delivery was not sent" in shown
    for secret in [*SECRETS[driver].values(), token, PHONE, PHONE[:9]]:
        assert secret not in shown
