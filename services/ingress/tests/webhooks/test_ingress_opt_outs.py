"""Opt-outs in webhooks: a customer's choice suppresses, whatever part of a report has it, and nothing else does."""

from typing import Any

import pytest

from ingress.testing import System, signed
from spreader.contract.events import ConsentChanged, CustomerMessage

pytestmark = pytest.mark.postgres

PERSON, NEW = "201000000011", "201000000012"
LIST = "/packages/pkg/suppressions"
DRIVERS = ("cloud_api", "waha", "evolution")


def cloud(value: dict[str, Any], account: str = "a", field: str = "messages") -> dict[str, Any]:
    value = {"metadata": {"phone_number_id": account}, **value}
    return {"entry": [{"id": "1", "changes": [{"field": field, "value": value}]}]}


def choice(driver: str, text: str, message_id: str = "m1", account: str = "a", **more: Any) -> dict[str, Any]:
    """A customer presses a button with this text, in each gateway's format."""
    if driver == "cloud_api":
        pressed = {"from": PERSON, "id": message_id, "type": "button", "button": {"text": text}, **more}
        return cloud({"messages": [pressed]}, account)
    message = {"templateButtonReplyMessage": {"selectedId": "1", "selectedDisplayText": text}}
    if driver == "waha":
        payload = {"id": message_id, "from": f"{PERSON}@c.us", "fromMe": False, "body": text, **more}
        return {"event": "message", "session": account, "payload": {**payload, "_data": {"message": message}}}
    key = {"remoteJid": f"{PERSON}@s.whatsapp.net", "fromMe": False, "id": message_id}
    return {"event": "messages.upsert", "instance": account, "data": {"key": key | more, "message": message}}


GROUP: dict[str, dict[str, Any]] = {
    "cloud_api": {"group_id": "Y2FwaV9ncm91cDo"},
    "waha": {"from": "12036304@g.us", "participant": f"{PERSON}@c.us"},
    "evolution": {"remoteJid": "12036304@g.us", "participant": f"{PERSON}@s.whatsapp.net"},
}


async def call(system: System, driver: str, body: dict[str, Any], profile_id: str = "a", **secret: Any) -> None:
    answer = await system.http.post(
        f"/webhooks/{driver}/pkg/{profile_id}", **signed(driver, profile_id, body, **secret)
    )
    assert answer.status_code == 200, answer.text


async def sources(system: System) -> list[tuple[str, str]]:
    return [(row["recipient"], row["source"]) for row in (await system.http.get(LIST)).json()["data"]]


@pytest.fixture
async def gateways(system: System) -> System:
    await system.package()
    for driver in DRIVERS:
        await system.gateway_profile(driver, "a" if driver == "cloud_api" else driver)
    return system


def profile_of(driver: str) -> str:
    return "a" if driver == "cloud_api" else driver


@pytest.mark.parametrize("text", ["Stop promotions", "STOP", "Parar promoções", "إلغاء الاشتراك"])
@pytest.mark.parametrize("driver", DRIVERS)
async def test_a_button_that_opts_out_suppresses_and_is_an_answer(gateways: System, driver: str, text: str) -> None:
    profile_id = profile_of(driver)
    await call(gateways, driver, choice(driver, text, account=profile_id), profile_id)
    assert await sources(gateways) == [(PERSON, "opt_out_word")]
    (message,) = gateways.bus.of(CustomerMessage)
    assert (message.kind, message.text) == ("button", text)


@pytest.mark.parametrize("driver", DRIVERS)
async def test_a_message_of_a_group_is_nobodys_opt_out(gateways: System, driver: str) -> None:
    profile_id = profile_of(driver)
    await call(gateways, driver, choice(driver, "STOP", account=profile_id, **GROUP[driver]), profile_id)
    assert (await sources(gateways), gateways.bus.published) == ([], [])


@pytest.mark.parametrize("driver", DRIVERS)
async def test_an_opt_out_to_an_account_that_no_profile_has_counts_for_the_called_profile(
    gateways: System, driver: str
) -> None:
    profile_id = profile_of(driver)
    await call(gateways, driver, choice(driver, "Hi", account="?"), profile_id)
    await call(gateways, driver, choice(driver, "STOP", "m2", account="?"), profile_id)
    assert await sources(gateways) == [(PERSON, "opt_out_word")]
    assert gateways.bus.of(CustomerMessage) == []


async def test_an_opt_out_to_a_profile_with_another_secret_counts_for_nobody(system: System) -> None:
    await system.package()
    await system.gateway_profile("waha", "a")
    await system.gateway_profile("waha", "b")
    await call(system, "waha", choice("waha", "STOP", account="b"))
    assert (await sources(system), system.bus.published) == ([], [])


def failed(seconds: int, code: int = 131050) -> dict[str, Any]:
    status = {"id": "wamid.1", "status": "failed", "timestamp": seconds, "recipient_id": PERSON}
    return cloud({"statuses": [status | {"errors": [{"code": code}]}]})


def preference(value: str, seconds: int) -> dict[str, Any]:
    """Meta names the customer only in `contacts`."""
    choice = {"category": "marketing_messages", "value": value, "timestamp": seconds}
    return cloud({"contacts": [{"wa_id": PERSON}], "user_preferences": [choice]}, field="user_preferences")


async def test_a_failure_because_of_an_opt_out_at_whatsapp_suppresses_until_the_customer_resumes(
    gateways: System,
) -> None:
    now = int(gateways.clock().timestamp())
    await call(gateways, "cloud_api", failed(now - 100, 131049))
    assert await sources(gateways) == []
    for _ in range(2):
        await call(gateways, "cloud_api", failed(now - 100))
    assert await sources(gateways) == [(PERSON, "gateway")]
    await call(gateways, "cloud_api", preference("resume", now - 50))
    await call(gateways, "cloud_api", failed(now - 100))  # a repeat
    assert await sources(gateways) == []
    assert [each.listed for each in gateways.bus.of(ConsentChanged)] == [True, False]


async def test_a_preference_suppresses_the_customer_in_contacts(gateways: System) -> None:
    await call(gateways, "cloud_api", preference("stop", 1_780_000_000))
    assert await sources(gateways) == [(PERSON, "gateway")]


def new_number(sender: str = PERSON, **system: str) -> dict[str, Any]:
    system = {"type": "user_changed_number", "wa_id": NEW, **system}
    return cloud({"messages": [{"from": sender, "id": "m", "type": "system", "system": system}]})


@pytest.mark.parametrize(
    "body",
    [
        new_number(type="customer_changed_number", wa_id="", new_wa_id=NEW),
        new_number(sender=NEW, customer=PERSON),
    ],
)
async def test_every_form_of_a_new_number_is_understood(gateways: System, body: dict[str, Any]) -> None:
    gateways.router.responses[f"/packages/pkg/conversations/{PERSON}/new-number"] = {"followed": False}
    gateways.pacer.responses[f"/packages/pkg/contacts/{PERSON}/new-number"] = {"followed": False}
    await gateways.http.post(LIST, json={"recipients": [PERSON]})
    await call(gateways, "cloud_api", body)
    assert await sources(gateways) == [(PERSON, "api"), (NEW, "api")]


async def test_everything_follows_a_customer_to_the_new_number(gateways: System) -> None:
    await gateways.package(package_id="other")
    await call(gateways, "cloud_api", preference("stop", 1_780_000_000))
    await gateways.http.post("/packages/other/suppressions", json={"recipients": [PERSON]})
    path, contact_path = (
        f"/packages/pkg/conversations/{PERSON}/new-number",
        f"/packages/pkg/contacts/{PERSON}/new-number",
    )
    for responses in (gateways.router.responses, gateways.pacer.responses):
        unavailable = await gateways.http.post("/webhooks/cloud_api/pkg/a", **signed("cloud_api", "a", new_number()))
        assert (unavailable.status_code, "retry-after" in unavailable.headers) == (503, True)
        responses[path if responses is gateways.router.responses else contact_path] = {"followed": True}
    for _ in range(2):
        await call(gateways, "cloud_api", new_number())
    assert gateways.router.queries[-1] == (path, {"recipient": NEW})
    assert [(asked, body["recipient"]) for asked, body in gateways.pacer.queries[-1:]] == [(contact_path, NEW)]
    assert await sources(gateways) == [(PERSON, "gateway"), (NEW, "gateway")]
    others = (await gateways.http.get("/packages/other/suppressions")).json()["data"]
    assert [(each["recipient"], each["source"]) for each in others] == [(PERSON, "api"), (NEW, "api")]
    await gateways.http.delete(f"{LIST}/{NEW}")
    await call(gateways, "cloud_api", new_number())  # a repeat
    assert await sources(gateways) == [(PERSON, "gateway")]
    assert gateways.bus.of(CustomerMessage) == []


NO_WORDS: list[tuple[str, dict[str, Any]]] = [
    ("cloud_api", cloud({"messages": [{"from": PERSON, "id": "m", "type": each, each: {"body": "x"}}]}))
    for each in ("system", "revoke", "unsupported", "request_welcome")
] + [
    ("waha", {"event": "message", "session": "waha", "payload": {"id": "m", "from": f"{PERSON}@c.us", "_data": data}})
    for data in (
        {"type": "e2e_notification"}, {"type": "notification_template"}, {"type": "revoked"},
        {"message": {"protocolMessage": {"type": "REVOKE"}}}, {"Message": {"protocolMessage": {"type": 3}}},
        {"messageStubType": 2},
    )
] + [
    ("evolution", {
        "event": "messages.upsert", "instance": "evolution",
        "data": {"key": {"remoteJid": f"{PERSON}@s.whatsapp.net", "id": "m"}, "message": message},
    })
    for message in (
        {"protocolMessage": {"type": "REVOKE"}}, {"protocolMessage": {"type": "EPHEMERAL_SETTING"}},
        {"protocolMessage": {"type": "APP_STATE_SYNC_KEY_SHARE"}}, {"reactionMessage": {"text": ""}}, {},
    )
]  # fmt: skip


@pytest.mark.parametrize(("driver", "body"), NO_WORDS)
async def test_what_is_no_word_of_a_customer_is_no_answer(gateways: System, driver: str, body: dict[str, Any]) -> None:
    await call(gateways, driver, body, profile_of(driver))
    assert gateways.bus.published == []
