"""Accounts with WhatsApp-like behaviour, over HTTP: the answers and the webhook calls."""

from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from simulator.testing import ACCOUNTS, FakeWebhook, SimulatorClient, fake_webhook, running_simulator
from spreader.clock import Clock, wall_now

ANNA, BEN = "201000000001", "201000000002"
NEW_YEAR = datetime(2030, 1, 1, tzinfo=UTC)
HOUR_SECONDS = 3_600.0


@pytest.fixture
async def hook() -> AsyncGenerator[FakeWebhook]:
    async with fake_webhook() as hook:
        yield hook


@pytest.fixture
async def gateways(tmp_path: Path) -> AsyncGenerator[SimulatorClient]:
    """Five minutes of the system's time in a second."""
    async with running_simulator(tmp_path, Clock(300, wall_now(), NEW_YEAR)) as caller:
        yield caller


async def report(gateways: SimulatorClient, driver: str, **fields: Any) -> Any:
    reply = await gateways.request("POST", f"/accounts/{driver}/{ACCOUNTS[driver]}/reports", fields)
    assert reply.status == 202, reply
    return reply.body["standing"]


async def hears(hook: FakeWebhook, wanted: Callable[[Any], bool]) -> Any:
    await hook.wait_until(lambda hook: any(wanted(each) for each in hook.accepted))
    return next(each for each in hook.accepted if wanted(each))


def engine(event: str) -> Callable[[Any], bool]:
    return lambda each: each["event"] == "engine.event" and each["payload"]["event"] == event


async def test_a_cold_contact_meets_463_and_one_that_wrote_is_reached(
    gateways: SimulatorClient, hook: FakeWebhook
) -> None:
    await gateways.register_account("waha", hook.url, behaviour={"opens_chats": False})
    await gateways.request("POST", f"/customers/{BEN}/messages", {"profile": "prf_waha", "text": "Hello?"})
    assert [(await gateways.send_text("waha", to)).status for to in (ANNA, BEN)] == [201, 201]
    assert [line["code"] for line in await gateways.ledger()] == ["463", None]
    lock = await hears(hook, engine("connection.update"))
    state = lock["payload"]["data"]["reachoutTimeLock"]
    ends = datetime.fromisoformat(state["timeEnforcementEnds"])
    told_at = datetime.fromtimestamp(lock["timestamp"] / 1000, UTC)
    assert (state["isActive"], ends - told_at) == (True, pytest.approx(timedelta(seconds=60), abs=timedelta(seconds=1)))
    error = await hears(hook, lambda each: each["event"] == "message.ack" and each["payload"]["ack"] == -1)
    assert f"{ANNA}@c.us" in error["payload"]["id"]
    await hears(hook, lambda each: each["event"] == "message.ack" and each["payload"]["ack"] == 2)
    assert (await gateways.call_with_key("waha", "GET", "/waha/api/sessions/default")).body["status"] == "WORKING"


async def test_only_waha_reports_the_quota(gateways: SimulatorClient, hook: FakeWebhook) -> None:
    for driver in ("waha", "evolution"):
        await gateways.register_account(driver, hook.url, behaviour={"quota": {"total": 1}})
        await gateways.send_text(driver, ANNA)
    capping = (await hears(hook, engine("message-capping.update")))["payload"]["data"]
    assert (capping["total_quota"], capping["used_quota"], capping["capping_status"]) == (1, 1, "CAPPED")
    ends = datetime.fromtimestamp(capping["cycle_end_timestamp"], UTC)
    assert timedelta(days=29) < ends - NEW_YEAR < timedelta(days=31)
    await hears(hook, lambda each: each["event"] == "messages.update" and each["data"]["status"] == "DELIVERY_ACK")
    assert "quota" not in str([each for each in hook.accepted if "instance" in each])


def statuses(hook: FakeWebhook) -> list[str]:
    return [each["payload"]["status"] for each in hook.accepted if each["event"] == "session.status"]


@pytest.mark.parametrize("engine_name", ["NOWEB", "GOWS"])
async def test_a_banned_session_fails_and_works_again_when_the_ban_is_over(
    tmp_path: Path, hook: FakeWebhook, engine_name: str
) -> None:
    """At a pace at which the ban of six minutes outlasts a machine that stands still for some seconds."""
    bans = {"bans": {"same_text": 1, "hours": 0.1}}
    async with running_simulator(tmp_path, Clock(60, wall_now(), NEW_YEAR)) as gateways:
        await gateways.register_account("waha", hook.url, engine=engine_name, behaviour=bans)
        assert [(await gateways.send_text("waha")).status for _ in range(2)] == [201, 422]
        if engine_name == "GOWS":
            ban = (await hears(hook, engine("TemporaryBan")))["payload"]["data"]
            assert (ban["Code"], round(ban["Expire"] / 1e9)) == (104, 360)
        else:
            error = (await hears(hook, engine("connection.update")))["payload"]["data"]["lastDisconnect"]["error"]
            assert error["output"]["statusCode"] == 402
            assert error["data"] == {"reason": "402", "code": "104", "expire": "360"}
        await hook.wait_until(lambda hook: len(statuses(hook)) == 2)
        assert statuses(hook) == ["FAILED", "WORKING"]
        assert (await gateways.send_text("waha")).status == 201


async def test_evolution_reports_the_reason_of_a_lost_connection(gateways: SimulatorClient, hook: FakeWebhook) -> None:
    await gateways.register_account("evolution", hook.url)
    await report(gateways, "evolution", kind="session", status="unlinked")
    update = (await hears(hook, lambda each: each["event"] == "connection.update"))["data"]
    assert (update["state"], update["statusReason"]) == ("close", 401)
    ended = (await hears(hook, lambda each: each["event"] == "status.instance"))["data"]
    assert (ended["status"], ended["disconnectionReasonCode"]) == ("closed", 401)
    refused = await gateways.send_text("evolution")
    assert (refused.status, refused.body["response"]["message"]) == (400, ["Error: Connection Closed"])
    state = await gateways.call_with_key("evolution", "GET", "/evolution/instance/connectionState/shop")
    assert state.body["instance"]["state"] == "close"
    await report(gateways, "evolution", kind="temporary_ban", code=102, seconds=HOUR_SECONDS)
    banned = await hears(hook, lambda each: each["event"] == "status.instance" and "102" in str(each["data"]))
    assert banned["data"]["disconnectionReasonCode"] == 402


async def test_waha_reports_failed_before_it_shows_a_code(gateways: SimulatorClient, hook: FakeWebhook) -> None:
    await gateways.register_account("waha", hook.url)
    standing = await report(gateways, "waha", kind="session", status="unlinked", reason=401)
    await hook.wait_until(lambda hook: len(hook.accepted) == 3)
    assert (standing["session"], set(statuses(hook))) == ("unlinked", {"FAILED", "SCAN_QR_CODE"})
    refused = await gateways.send_text("waha")
    assert (refused.status, refused.body["status"], refused.body["expected"]) == (422, "SCAN_QR_CODE", ["WORKING"])
    session = await gateways.call_with_key("waha", "GET", "/waha/api/sessions/default")
    assert session.body["status"] == "SCAN_QR_CODE"


def update(hook: FakeWebhook, field: str) -> list[Any]:
    changes = [each["entry"][0]["changes"][0] for each in hook.accepted]
    return [change["value"] for change in changes if change["field"] == field]


async def test_meta_reports_restrictions_but_not_quality(gateways: SimulatorClient, hook: FakeWebhook) -> None:
    behaviour = {"block_chance": 1.0, "quality": {"yellow": 1, "red": 2, "restricted_hours": 24}}
    await gateways.register_account("cloud_api", hook.url, behaviour=behaviour)
    ratings: list[str] = []
    for person in (ANNA, BEN):
        await gateways.send_text("cloud_api", person)
        found = await gateways.call_with_key("cloud_api", "GET", "/cloud/v23.0/100?fields=quality_rating")
        ratings.append(found.body["quality_rating"])
    assert ratings == ["YELLOW", "RED"]
    await hook.wait_until(lambda hook: bool(update(hook, "account_update")))
    (restricted,) = update(hook, "account_update")
    (info,) = restricted["restriction_info"]
    assert (restricted["event"], info["restriction_type"]) == (
        "ACCOUNT_RESTRICTION", "RESTRICTED_BIZ_INITIATED_MESSAGING",
    )  # fmt: skip
    assert datetime.fromtimestamp(info["expiration"], UTC) - NEW_YEAR > timedelta(hours=23)
    refused = await gateways.send_text("cloud_api", "201000000009")
    assert (refused.status, refused.body["error"]["code"]) == (400, 131048)


async def test_meta_reports_opt_outs_and_disabled_accounts(gateways: SimulatorClient, hook: FakeWebhook) -> None:
    await gateways.register_account("cloud_api", hook.url)
    await report(gateways, "cloud_api", kind="opt_out", phone=ANNA)
    await report(gateways, "cloud_api", kind="silence", seconds=HOUR_SECONDS)
    await report(gateways, "cloud_api", kind="quota", total=2000, used=5, warning="NONE")
    await report(gateways, "cloud_api", kind="disable")
    standing = await report(gateways, "cloud_api", kind="quality", rating="YELLOW")
    await hook.wait_until(lambda hook: len(hook.accepted) == 4)
    (preference,) = update(hook, "user_preferences")[0]["user_preferences"]
    assert (preference["wa_id"], preference["value"]) == (ANNA, "stop")
    assert update(hook, "business_capability_update")[0]["max_daily_conversations_per_business"] == 2000
    assert sorted(each["event"] for each in update(hook, "account_update")) == [
        "ACCOUNT_RESTRICTION",
        "DISABLED_UPDATE",
    ]
    assert standing["quality"] == "YELLOW"
    refused = await gateways.send_text("cloud_api")
    assert (refused.status, refused.body["error"]["code"]) == (403, 131031)


async def test_number_checks_find_numbers_that_are_not_on_whatsapp(gateways: SimulatorClient) -> None:
    for driver in ("waha", "evolution"):
        await gateways.register_account(driver, behaviour={"unknown_share": 1.0})
    query = f"/waha/api/contacts/check-exists?phone={ANNA}&session=default"
    assert (await gateways.call_with_key("waha", "GET", query)).body == {"numberExists": False}
    found = await gateways.call_with_key(
        "evolution", "POST", "/evolution/chat/whatsappNumbers/shop", {"numbers": [ANNA]}
    )
    assert [each["exists"] for each in found.body] == [False]
    refused = await gateways.send_text("evolution", ANNA)
    assert (refused.status, refused.body["response"]["message"][0]["exists"]) == (400, False)


async def test_a_customer_whom_whatsapp_knows_without_the_9_is_found_by_either_form(gateways: SimulatorClient) -> None:
    without, with_it = "553187654321", "5531987654321"
    for driver in ("waha", "evolution"):
        await gateways.register_account(driver, behaviour={"without_nine": [without]})
        await gateways.send_text(driver, with_it)
    for number in (without, with_it):
        query = f"/waha/api/contacts/check-exists?phone={number}&session=default"
        found = (await gateways.call_with_key("waha", "GET", query)).body
        assert found == {"numberExists": True, "chatId": f"{without}@c.us"}
        asked = await gateways.call_with_key(
            "evolution", "POST", "/evolution/chat/whatsappNumbers/shop", {"numbers": [number]}
        )
        assert asked.body == [{"jid": f"{without}@s.whatsapp.net", "exists": True, "number": number}]
    sent = [(line["driver"], line["recipient"], line["code"]) for line in await gateways.ledger()]
    assert sent == [("waha", with_it, "no_whatsapp"), ("evolution", without, None)]


async def test_a_blocked_account_gets_only_the_sent_receipt(gateways: SimulatorClient, hook: FakeWebhook) -> None:
    await gateways.register_account("waha", hook.url, behaviour={"block_chance": 1.0})
    for text in ("first", "second"):
        await gateways.send_text("waha", text=text)
    first, second = [line["message_id"] for line in await gateways.ledger()]
    await hears(hook, lambda each: first in str(each) and each["payload"]["ackName"] == "DEVICE")
    await hears(hook, lambda each: second in str(each) and each["payload"]["ackName"] == "SERVER")
    acks = [each["payload"]["ackName"] for each in hook.accepted if second in str(each)]
    assert "DEVICE" not in acks


async def test_a_lost_answer_is_a_message_that_went_out(gateways: SimulatorClient, hook: FakeWebhook) -> None:
    await gateways.register_account("waha", hook.url, behaviour={"lost_answer_share": 1.0})
    assert (await gateways.send_text("waha")).status == 500
    await hears(hook, lambda each: each["event"] == "message.any" and each["payload"]["source"] == "api")
    assert [(line["ok"], line["code"]) for line in await gateways.ledger()] == [(True, None)]


async def test_a_slow_answer_arrives_late(gateways: SimulatorClient) -> None:
    await gateways.register_account("waha", behaviour={"slow_share": 1.0, "slow_seconds": 0.2})
    began = wall_now()
    assert (await gateways.send_text("waha")).status == 201
    assert wall_now() - began >= timedelta(seconds=0.2)


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"kind": "song"}, ""),
        ({"kind": "session", "status": "asleep"}, "/session/status"),
        ({"kind": "temporary_ban", "code": 105, "seconds": 1}, "/temporary_ban/code"),
        ({"kind": "time_lock", "seconds": -1}, "/time_lock/seconds"),
    ],
)
async def test_a_wrong_report_is_refused(gateways: SimulatorClient, fields: dict[str, Any], pointer: str) -> None:
    await gateways.register_account("waha")
    reply = await gateways.request("POST", "/accounts/waha/default/reports", fields)
    assert (reply.status, [each["pointer"] for each in reply.body["error"]["errors"]]) == (422, [pointer])
