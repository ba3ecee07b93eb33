"""Every failure as an answer and as a receipt, in the format of each gateway."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from simulator.core.failures import FAILURES, GENERIC_CODES, Driver, GatewayFailure, code_for
from simulator.testing import CREDENTIALS, FakeWebhook, Reply, SimulatorClient, fake_webhook, running_simulator
from spreader.clock import Clock, wall_now

GATEWAYS: tuple[Driver, ...] = ("cloud_api", "waha", "evolution")


@pytest.fixture
async def hook() -> AsyncGenerator[FakeWebhook]:
    async with fake_webhook() as hook:
        yield hook


@pytest.fixture
async def gateways(tmp_path: Path, hook: FakeWebhook) -> AsyncGenerator[SimulatorClient]:
    now = wall_now()
    async with running_simulator(tmp_path, Clock(6000, now, now)) as caller:
        for driver in CREDENTIALS:
            await caller.register_account(driver, hook.url)
        yield caller


def said(driver: Driver, reply: Reply) -> Any:
    """The part of a response that describes a failure."""
    match driver:
        case "cloud_api":
            return reply.body["error"].get("code", reply.body["error"]["message"])
        case "waha":
            return reply.body.get("exception", reply.body).get("message") or reply.body["error"]
        case _:
            return reply.body["response"]["message"]


def wanted(driver: Driver, code: str, failure: GatewayFailure) -> Any:
    if driver == "cloud_api":
        return failure.title if failure.transport_only else int(code)
    if driver == "waha":
        return f"{code}: {failure.title}" if code in ("463", "479") or code == "500" else failure.title
    match code:
        case "no_whatsapp":
            jid = "201001234567@s.whatsapp.net"
            return [{"jid": jid, "exists": False, "number": "201001234567"}]
        case "404":
            return ['The "shop" instance does not exist']
        case "463" | "479":
            return [f"Error: {failure.title} ({code})"]
        case "error" | "stuck":
            return [f"Error: {failure.title}"]
        case "closed" | "timed_out" | "media":
            return [failure.title]
        case _:
            return failure.title


@pytest.mark.parametrize("driver", GATEWAYS)
async def test_each_failure_as_an_answer(gateways: SimulatorClient, hook: FakeWebhook, driver: Driver) -> None:
    for code, failure in FAILURES[driver].items():
        await gateways.fault(kind="fail", driver=driver, code=code, count=1, **{"as": "answer"})
        reply = await gateways.send_text(driver)
        assert (reply.status, said(driver, reply)) == (failure.status, wanted(driver, code, failure)), code
        line = (await gateways.ledger())[-1]
        assert (line["ok"], line["code"], line["message_id"]) == (False, code, None)
    assert hook.calls == []


@pytest.mark.parametrize("driver", GATEWAYS)
async def test_each_failure_as_a_receipt(gateways: SimulatorClient, hook: FakeWebhook, driver: Driver) -> None:
    codes = [code for code, failure in FAILURES[driver].items() if not failure.transport_only and code != "stuck"]
    for code in codes:
        await gateways.fault(kind="fail", driver=driver, code=code, count=1, **{"as": "receipt"})
        reply = await gateways.send_text(driver)
        assert reply.status == (200 if driver == "cloud_api" else 201), code
    await hook.wait_until(lambda hook: len(failures(driver, hook)) == len(codes))
    assert sorted(failures(driver, hook)) == sorted(codes if driver == "cloud_api" else ["ERROR"] * len(codes))
    assert [(line["ok"], line["code"]) for line in await gateways.ledger()] == [(True, code) for code in codes]


def failures(driver: Driver, hook: FakeWebhook) -> list[str]:
    if driver == "cloud_api":
        found = [each["entry"][0]["changes"][0]["value"]["statuses"][0] for each in hook.accepted]
        return [str(error["code"]) for each in found for error in each["errors"]]
    if driver == "waha":
        return [each["payload"]["ackName"] for each in hook.accepted if each["event"] == "message.ack"]
    return [each["data"]["status"] for each in hook.accepted if each["event"] == "messages.update"]


async def test_waha_reports_the_error_code_and_evolution_does_not(gateways: SimulatorClient, hook: FakeWebhook) -> None:
    for driver in ("waha", "evolution"):
        await gateways.fault(kind="fail", driver=driver, code="463")
        await gateways.send_text(driver)
    await hook.wait_until(lambda hook: len(hook.accepted) == 5)
    (engine,) = [each["payload"] for each in hook.accepted if each["event"] == "engine.event"]
    assert engine["event"] == "messages.update"
    assert engine["data"][0]["update"] == {
        "status": 0, "messageStubParameters": ["463", "Your account has been restricted"],
    }  # fmt: skip
    assert "463" not in str([each["data"] for each in hook.accepted if each["event"] == "messages.update"])


@pytest.mark.parametrize("driver", ["waha", "evolution"])
async def test_a_stuck_message_gets_no_receipt(gateways: SimulatorClient, hook: FakeWebhook, driver: str) -> None:
    await gateways.fault(kind="fail", driver=driver, code="stuck", count=1)
    assert [(await gateways.send_text(driver)).status for _ in range(2)] == [201, 201]
    await hook.wait_until(lambda hook: len(hook.accepted) >= 4)
    stuck, other = [line["message_id"] for line in await gateways.ledger()]
    assert [line["code"] for line in await gateways.ledger()] == ["stuck", None]
    assert sum(stuck in str(each) for each in hook.accepted) == 1
    assert sum(other in str(each) for each in hook.accepted) >= 3


@pytest.mark.parametrize(
    ("driver", "code", "status"), [("cloud_api", "130429", 400), ("cloud_api", "429", 429), ("waha", "429", 429),
                                   ("evolution", "429", 429)]
)  # fmt: skip
async def test_a_throttled_answer_has_retry_after(
    gateways: SimulatorClient, driver: str, code: str, status: int
) -> None:
    await gateways.fault(kind="fail", driver=driver, code=code, seconds=7)
    reply = await gateways.send_text(driver)
    headers = {name.title(): value for name, value in reply.headers.items()}
    assert (reply.status, headers["Retry-After"]) == (status, "7")


@pytest.mark.parametrize("driver", GATEWAYS)
async def test_every_gateway_has_the_five_generic_codes(gateways: SimulatorClient, driver: Driver) -> None:
    for ours, theirs in GENERIC_CODES[driver].items():
        fault = await gateways.fault(kind="fail", code=ours, **{"as": "answer"})
        await gateways.send_text(driver)
        await gateways.request("DELETE", f"/faults/{fault}")
        assert (await gateways.ledger())[-1]["code"] == theirs


async def test_a_fault_of_one_gateway_leaves_the_others_alone(gateways: SimulatorClient) -> None:
    await gateways.fault(kind="fail", driver="waha", code="422")
    assert [(await gateways.send_text(driver)).status for driver in GATEWAYS] == [200, 422, 201]


async def test_an_error_after_sending_tempts_to_send_twice(gateways: SimulatorClient, hook: FakeWebhook) -> None:
    await gateways.fault(kind="fail_after_sending", driver="waha", code="500")
    reply = await gateways.send_text("waha")
    (line,) = await gateways.ledger()
    assert (reply.status, line["ok"], line["code"]) == (500, True, None)
    await hook.wait_until(lambda hook: any(each["event"] == "message.ack" for each in hook.accepted))
    assert all(line["message_id"] in str(each) for each in hook.accepted)


@pytest.mark.parametrize(
    ("fault", "pointer"),
    [
        ({"kind": "fail", "code": "131048"}, "/code"),
        ({"kind": "fail", "driver": "waha", "code": "131048"}, "/code"),
        ({"kind": "delay", "driver": "waha", "code": "463"}, "/code"),
        ({"kind": "delay", "as": "receipt"}, "/as"),
        ({"kind": "fail", "driver": "waha", "code": "422", "as": "receipt"}, "/as"),
        ({"kind": "fail", "driver": "waha", "code": "463", "as": "receipt", "at": "after"}, "/at"),
    ],
)
async def test_a_fault_that_cannot_be_is_refused(
    gateways: SimulatorClient, fault: dict[str, Any], pointer: str
) -> None:
    reply = await gateways.request("POST", "/faults", fault)
    assert (reply.status, [each["pointer"] for each in reply.body["error"]["errors"]]) == (422, [pointer])


def test_a_code_is_translated_or_unknown() -> None:
    assert code_for("waha", "throttled") == "429"
    assert code_for("cloud_api", "131048") == "131048"
    assert code_for("evolution", "131048") is None
