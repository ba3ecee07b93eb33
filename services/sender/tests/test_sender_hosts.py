"""Hosts: one that is slow or down does not slow the others; and no secret is ever shown."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable
from datetime import timedelta

import pytest
import structlog.testing
from prometheus_client import generate_latest

from sender.core.circuit_breaker import Patience
from sender.gateways.driver import Driver
from sender.gateways.http_client import Away, Call, Client, Replied, Silent, Timeouts
from sender.ledger.postgres import Ledger
from sender.testing import PHONE, FixedPackages, released
from sender.testing.running import running, statuses
from sender.testing.wires import SECRETS, HangsUp, Says, Wire, reached_through, serve_wire
from spreader.contract.configuration import Driver as Name

pytestmark = pytest.mark.postgres

MakeLedger = Callable[..., Ledger]
QUICK = Patience(failures_max=3, first=timedelta(seconds=60), longest=timedelta(seconds=60))


@pytest.fixture
async def other() -> AsyncGenerator[Wire]:
    async with serve_wire(Wire()) as served:
        yield served


@pytest.fixture
async def wary() -> AsyncGenerator[Client]:
    client = Client("wary", 10, Timeouts(connect_seconds=2, call_seconds=2), QUICK)
    await client.start()
    yield client
    await client.stop()


def post(url: str) -> Call:
    return Call("POST", f"{url}/messages", {}, json={})


async def test_200_slow_deliveries_do_not_delay_a_fast_one(
    ledger: MakeLedger, drivers: dict[str, Driver], wire: Wire, other: Wire
) -> None:
    """All in one partition; the slow ones have not been answered when the fast one is."""
    answers = asyncio.Event()
    wire.usually = lambda asked: Says(200, {"messages": [{"id": "wamid.slow"}]}, after=answers)
    configured = FixedPackages(
        (reached_through("cloud_api", wire.base_url), reached_through("cloud_api", other.base_url, "p2"))
    )
    book = ledger("open")
    book = Ledger(book.engine, book.positions, "open", "me", book.lease, host_of=lambda _, profile_id: profile_id)
    slow = [released(f"m{number}") for number in range(200)]
    fast = released("fast").model_copy(update={"profile_id": "p2"})
    async with running(book, drivers["cloud_api"], configured=configured, limit=64) as sender:
        await sender.ask(*slow, fast)
        (first,) = await sender.outcomes(1)
        assert (first.message_id, first.status) == ("fast", "sent")
        # Every slot that is left goes to hosts that answer.
        await wire.until(lambda seen: len(seen.asked) == 51)
        more = [fast.model_copy(update={"delivery_id": f"dlv_{n}", "message_id": f"n{n}"}) for n in range(30)]
        await sender.ask(*more)
        await sender.outcomes(31)
        assert len(wire.asked) == 51
        answers.set()
        assert statuses(await sender.outcomes(231)) == {"sent": 231}


async def test_a_host_that_answers_nothing_is_let_alone_and_the_others_are_not_slowed(
    wary: Client, wire: Wire, other: Wire
) -> None:
    wire.will(*[HangsUp()] * 9)
    assert [type(await wary.call(post(wire.base_url))) for _ in range(5)] == [Silent] * 3 + [Away] * 2
    assert len(wire.asked) == 3
    assert isinstance(await wary.call(post(other.base_url)), Replied)


async def test_a_host_that_is_down_is_asked_three_times_and_then_not(wary: Client) -> None:
    with socket.socket() as bound:  # bound and not listening: a connection is refused
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        replies = [await wary.call(post(url)) for _ in range(5)]
    assert [isinstance(each, Away) and "cannot be reached" in each.detail for each in replies] == [True] * 3 + [
        False
    ] * 2
    assert isinstance(replies[-1], Away)
    assert timedelta(0) < (replies[-1].retry_after or timedelta(0)) <= timedelta(seconds=60)


async def test_a_proxy_that_speaks_for_a_gateway_that_is_away_opens_the_breaker_too(wary: Client, wire: Wire) -> None:
    wire.will(*[Says(503)] * 9)
    for _ in range(4):
        await wary.call(post(wire.base_url))
    assert len(wire.asked) == 3


async def test_a_gateways_own_error_is_an_answer(wary: Client, wire: Wire) -> None:
    wire.will(*[Says(503, {"error": {"code": 131016}})] * 9)
    for _ in range(9):
        assert isinstance(await wary.call(post(wire.base_url)), Replied)


@pytest.mark.parametrize("address", ["", "nonsense", "http://", "http://[::1", "http://host:port"])
async def test_an_address_that_cannot_be_read_is_a_gateway_that_is_away(wary: Client, address: str) -> None:
    assert isinstance(await wary.call(Call("GET", address, {})), Away)


@pytest.mark.parametrize("driver", ["cloud_api", "waha", "evolution"])
async def test_no_token_and_no_full_number_is_in_a_log_line_a_metric_or_an_outcome(
    ledger: MakeLedger,
    drivers: dict[str, Driver],
    wire: Wire,
    driver: Name,
    caplog: pytest.LogCaptureFixture,
) -> None:
    token = SECRETS["cloud_api"]["access_token"]
    words = f"the number must be known: {PHONE} to {token}"
    refusals = [
        Says(400, {"error": {"code": 131026, "message": words}, "message": words}),
        Says(401, {"error": {"code": 190, "message": words}, "message": words}),
        Says(500, {"exception": {"message": words}, "request": {"body": {"chatId": PHONE}}}),
        Says(200, {"messages": "no list", "key": "no key"}),
        HangsUp(),
    ]
    configured = FixedPackages((reached_through(driver, wire.base_url),))
    caplog.set_level("DEBUG")
    wire.will(*refusals)
    with structlog.testing.capture_logs() as lines:
        async with running(ledger("open"), drivers[driver], configured=configured) as sender:
            for number in range(len(refusals)):
                await sender.ask(released(f"m{number}"))
                await wire.until(lambda seen: len(seen.asked) == number + 1)  # noqa: B023
            outcomes = await sender.outcomes(2)
    told = "".join(outcome.model_dump_json(exclude={"recipient"}) for outcome in outcomes)
    shown = caplog.text + str(lines) + told + generate_latest().decode()
    assert "a delivery was not sent" in shown
    for secret in [*SECRETS[driver].values(), token, PHONE, PHONE[:9]]:
        assert secret not in shown
