"""Injecting and removing faults over HTTP."""

import asyncio
from typing import Any

import pytest

from simulator.testing import SimulatorClient


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("transient", 500),
        ("throttled", 429),
        ("profile_blocked", 403),
        ("recipient_invalid", 404),
        ("content_refused", 400),
    ],
)
async def test_an_injected_failure_is_answered_and_recorded(simulator: SimulatorClient, code: str, status: int) -> None:
    await simulator.fault(kind="fail", code=code, count=1)
    refused, accepted = await simulator.send("dlv_1"), await simulator.send("dlv_1")
    assert (refused.status, refused.body["error"]["code"], accepted.status) == (status, code, 201)
    assert [(line["ok"], line["code"]) for line in await simulator.ledger()] == [(False, code), (True, None)]
    assert ("Retry-After" in {name.title() for name in refused.headers}) == (code == "throttled")


async def test_a_failure_after_sending_is_an_error_for_a_message_that_went_out(simulator: SimulatorClient) -> None:
    await simulator.fault(kind="fail_after_sending", recipient="201001234567")
    assert (await simulator.send("dlv_1")).status == 500
    assert [line["ok"] for line in await simulator.ledger()] == [True]
    assert (await simulator.request("GET", "/profiles/acc_1/messages/dlv_1")).status == 200


@pytest.mark.parametrize(("at", "lines"), [("before", 0), ("after", 1)])
async def test_a_hanging_send_gets_no_answer_and_ends_when_the_caller_leaves(
    simulator: SimulatorClient, at: str, lines: int
) -> None:
    await simulator.fault(kind="hang", at=at, count=1)
    send = asyncio.create_task(simulator.send("dlv_1"))
    await simulator.wait_until("/concurrency", lambda found: found["now"] == 1)
    assert not send.done()
    send.cancel()
    with pytest.raises(asyncio.CancelledError):
        await send
    await simulator.wait_until("/concurrency", lambda found: found["now"] == 0)
    assert len(await simulator.ledger()) == lines


async def test_a_send_that_hung_until_the_fault_ended_is_refused_in_the_ledger(simulator: SimulatorClient) -> None:
    await simulator.fault(kind="hang", count=1, seconds=0.01)
    assert (await simulator.send("dlv_1")).status == 500
    assert [(line["ok"], line["code"]) for line in await simulator.ledger()] == [(False, "transient")]


async def test_a_delayed_send_continues_after_its_caller_left(simulator: SimulatorClient) -> None:
    fault = await simulator.fault(kind="delay", seconds=600)
    send = asyncio.create_task(simulator.send("dlv_1"))
    await simulator.wait_until("/concurrency", lambda found: found["now"] == 1)
    send.cancel()
    with pytest.raises(asyncio.CancelledError):
        await send
    assert await simulator.ledger() == []
    await simulator.request("DELETE", f"/faults/{fault}")
    await simulator.wait_until("/concurrency", lambda found: found["now"] == 0)
    assert [line["delivery_id"] for line in await simulator.ledger()] == ["dlv_1"]


async def test_a_delay_ends_by_itself(simulator: SimulatorClient) -> None:
    await simulator.fault(kind="delay", seconds=0.01)
    assert (await simulator.send("dlv_1")).status == 201


async def test_the_highest_number_of_sends_in_flight_is_counted(simulator: SimulatorClient) -> None:
    await simulator.fault(kind="delay", seconds=600)
    sends = [asyncio.create_task(simulator.send(f"dlv_{number}")) for number in range(3)]
    await simulator.wait_until("/concurrency", lambda found: found["now"] == 3)
    assert (await simulator.request("DELETE", "/concurrency")).body == {"now": 3, "most": {"pkg_1": 3}}
    await simulator.request("DELETE", "/faults")
    assert [reply.status for reply in await asyncio.gather(*sends)] == [201] * 3
    await simulator.send("dlv_3")
    assert (await simulator.request("GET", "/concurrency")).body == {"now": 0, "most": {"pkg_1": 3}}
    assert (await simulator.request("DELETE", "/concurrency")).body == {"now": 0, "most": {}}


async def test_faults_are_listed_with_their_hits_and_removed(simulator: SimulatorClient) -> None:
    fault = await simulator.fault(kind="fail", code="throttled", profile="acc_1", every=2, seconds=3)
    other = await simulator.fault(kind="no_receipts", profile="prf_2")
    for _ in range(3):
        await simulator.send()
    listed = (await simulator.request("GET", "/faults")).body["data"]
    assert [(each["id"], each["seen"], each["hits"]) for each in listed] == [(fault, 3, 1), (other, 0, 0)]
    assert (await simulator.request("DELETE", f"/faults/{fault}")).body == {"removed": 1}
    assert (await simulator.request("DELETE", f"/faults/{fault}")).status == 404
    assert (await simulator.request("DELETE", "/faults")).body == {"removed": 1}
    assert (await simulator.request("GET", "/faults")).body == {"data": []}


@pytest.mark.parametrize(
    ("fault", "pointers"),
    [
        ({}, ["/kind"]),
        ({"kind": "explode"}, ["/kind"]),
        ({"kind": "fail", "code": "odd"}, ["/code"]),
        ({"kind": "fail", "seconds": 3}, ["/seconds"]),
        ({"kind": "delay", "code": "transient"}, ["/code"]),
        ({"kind": "delay", "seconds": 0}, ["/seconds"]),
        ({"kind": "hang", "seconds": 3601}, ["/seconds"]),
        ({"kind": "die", "at": "noon"}, ["/at"]),
        ({"kind": "no_receipts", "at": "after"}, ["/at"]),
        ({"kind": "die", "count": 0, "every": 0}, ["/count", "/every"]),
        ({"kind": "die", "recipient": "x"}, ["/recipient"]),
        ({"kind": "die", "profle": "prf_1"}, ["/profle"]),
    ],
)
async def test_a_wrong_fault_is_refused_by_field(
    simulator: SimulatorClient, fault: dict[str, Any], pointers: list[str]
) -> None:
    reply = await simulator.request("POST", "/faults", fault)
    assert reply.status == 422
    assert [error["pointer"] for error in reply.body["error"]["errors"]] == pointers


async def test_the_number_of_faults_is_limited(simulator: SimulatorClient) -> None:
    replies = [await simulator.request("POST", "/faults", {"kind": "fail"}) for _ in range(201)]
    assert [reply.status for reply in replies] == [201] * 200 + [409]
