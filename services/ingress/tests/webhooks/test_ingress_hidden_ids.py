"""Hidden ids: an opt-out of a person whose number is not known is kept, and takes effect when the number is known."""

from typing import Any

import pytest
from sqlalchemy import text

from ingress.core import delivery_updates
from ingress.testing import System, signed
from ingress.webhooks.hidden_ids import HiddenMessageCount
from spreader.contract.events import CustomerMessage, DeliveryOutcome

pytestmark = pytest.mark.postgres

PERSON, LID, USER_ID = "201000000011", "199888777666@lid", "US.1349"
DRIVERS = ("cloud_api", "waha", "evolution")
LIST = "/packages/pkg/hidden-messages"


def hidden_id(driver: str) -> str:
    return USER_ID if driver == "cloud_api" else LID


def cloud(account: str, **value: Any) -> dict[str, Any]:
    value = {"metadata": {"phone_number_id": account}, **value}
    return {"entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}]}


def words(driver: str, text: str = "STOP", message_id: str = "m1", number: str | None = None) -> dict[str, Any]:
    """A message of a person whom the gateway names by a hidden id, and by the number too if `number` is given."""
    if driver == "cloud_api":
        person = {"user_id": USER_ID} | ({"wa_id": number} if number else {})
        message = {"from_user_id": USER_ID, "id": message_id, "type": "text", "text": {"body": text}}
        return cloud("a", contacts=[person], messages=[message])
    phone = f"{number}@s.whatsapp.net" if number else None
    if driver == "waha":
        payload = {"id": f"false_{LID}_{message_id}", "from": LID, "fromMe": False, "body": text}
        info = {"_data": {"Info": {"Sender": LID, "SenderAlt": phone}}} if phone else {"_data": {"type": "chat"}}
        return {"event": "message", "session": "a", "payload": payload | info}
    key = {"remoteJid": LID, "fromMe": False, "id": message_id} | ({"remoteJidAlt": phone} if phone else {})
    return {"event": "messages.upsert", "instance": "a", "data": {"key": key, "message": {"conversation": text}}}


def receipt(driver: str) -> dict[str, Any]:
    """The receipt of our message `out1`, whose recipient the gateway names only by the hidden id."""
    if driver == "cloud_api":
        return cloud("a", statuses=[{"id": "out1", "status": "delivered", "recipient_user_id": USER_ID}])
    if driver == "waha":
        payload = {"id": f"true_{LID}_out1", "from": LID, "fromMe": True, "ack": 2}
        return {"event": "message.ack", "session": "a", "payload": payload}
    data = {"keyId": "out1", "remoteJid": LID, "fromMe": True, "status": "DELIVERY_ACK"}
    return {"event": "messages.update", "instance": "a", "data": data}


def echo(driver: str) -> dict[str, Any]:
    if driver == "waha":
        payload = {"id": f"true_{LID}_out1", "to": LID, "fromMe": True, "source": "api", "body": "Hi"}
        return {"event": "message.any", "session": "a", "payload": payload}
    key = {"remoteJid": LID, "fromMe": True, "id": "out1"}
    return {"event": "send.message", "instance": "a", "data": {"key": key, "message": {"conversation": "Hi"}}}


async def call(system: System, driver: str, body: dict[str, Any]) -> None:
    answer = await system.http.post(f"/webhooks/{driver}/pkg/a", **signed(driver, "a", body))
    assert answer.status_code == 200, answer.text


async def sent(system: System) -> None:
    """Our message `out1` went out to the person."""
    outcome = DeliveryOutcome(
        package_id="pkg", message_id="msg_1", delivery_id="dlv_1", recipient=PERSON, lane="open", status="sent",
        at=system.clock(), profile_id="a", gateway_message_id="out1",
    )  # fmt: skip
    await system.projection.fold_deliveries(delivery_updates.from_outcome(outcome))


async def suppressed(system: System) -> list[str]:
    return [row["recipient"] for row in (await system.http.get("/packages/pkg/suppressions")).json()["data"]]


async def kept(system: System) -> list[tuple[str, str | None]]:
    return [(row["hidden_id"], row["text"]) for row in (await system.http.get(LIST)).json()["data"]]


@pytest.fixture(params=DRIVERS)
async def driver(system: System, request: pytest.FixtureRequest) -> str:
    await system.package()
    await system.gateway_profile(request.param, "a")
    return request.param


async def test_words_under_a_hidden_id_are_kept_and_shown(system: System, driver: str) -> None:
    for _ in range(2):  # the gateway repeats its call
        await call(system, driver, words(driver))
    assert (await suppressed(system), system.bus.published) == ([], [])
    assert await kept(system) == [(hidden_id(driver), "STOP")]
    (row,) = (await system.http.get(LIST)).json()["data"]
    assert (row["profile_id"], row["message_id"], row["kind"]) == ("a", "m1", "text")
    assert await HiddenMessageCount(system.engine).run_once() > 0


async def test_a_receipt_of_our_message_shows_whose_words_they_were(system: System, driver: str) -> None:
    await sent(system)
    await call(system, driver, words(driver))
    await call(system, driver, receipt(driver))
    assert (await suppressed(system), await kept(system)) == ([PERSON], [])
    (message,) = system.bus.of(CustomerMessage)
    assert (message.recipient, message.text) == (PERSON, "STOP")
    await call(system, driver, words(driver, "Hi", "m2"))
    assert [each.recipient for each in system.bus.of(CustomerMessage)] == [PERSON, PERSON]


@pytest.mark.parametrize("linked", ["waha", "evolution"])
async def test_an_echo_of_our_message_shows_whose_words_they_were(system: System, linked: str) -> None:
    await system.package()
    await system.gateway_profile(linked, "a")
    await sent(system)
    await call(system, linked, words(linked))
    await call(system, linked, echo(linked))
    assert (await suppressed(system), await kept(system)) == ([PERSON], [])


async def test_a_message_with_both_shows_the_number_for_earlier_and_later_messages(system: System, driver: str) -> None:
    await call(system, driver, words(driver, "Stop. Thank you"))
    await call(system, driver, words(driver, "Hi", "m2", number=PERSON))
    listed = (await system.http.get("/packages/pkg/possible-opt-outs")).json()["data"]
    assert [(row["recipient"], row["text"]) for row in listed] == [(PERSON, "Stop. Thank you")]
    await call(system, driver, words(driver, "STOP", "m3"))
    assert (await suppressed(system), await kept(system)) == ([PERSON], [])


async def test_another_profiles_receipt_shows_nothing(system: System, driver: str) -> None:
    await call(system, driver, words(driver))
    await call(system, driver, receipt(driver))  # of a message that is not ours
    assert (await suppressed(system), await kept(system)) == ([], [(hidden_id(driver), "STOP")])


async def test_the_gateway_is_asked_for_the_number(system: System, driver: str) -> None:
    system.sender.responses["/hidden-ids/number"] = {"number": PERSON}
    await call(system, driver, words(driver))
    assert (await suppressed(system), await kept(system)) == ([PERSON], [])
    query = {"package_id": "pkg", "profile_id": "a", "hidden_id": hidden_id(driver)}
    assert system.sender.queries[-1] == ("/hidden-ids/number", query)
    await call(system, driver, words(driver, "Hi", "m2"))
    assert sum(path == "/hidden-ids/number" for path, _ in system.sender.queries) == 1
    assert [each.recipient for each in system.bus.of(CustomerMessage)] == [PERSON, PERSON]


async def test_words_to_a_removed_package_do_not_stop_the_receipts(system: System, driver: str) -> None:
    await call(system, driver, words(driver))
    async with system.engine.begin() as connection:
        await connection.execute(text("UPDATE ingress.hidden_message SET package_id = 'gone'"))
    await sent(system)
    await call(system, driver, receipt(driver))
    assert [each.status for each in system.bus.of(DeliveryOutcome)] == ["delivered"]
    assert await suppressed(system) == []


async def test_a_choice_under_a_user_id_of_meta_is_kept(system: System) -> None:
    await system.package()
    await system.gateway_profile("cloud_api", "a")
    now = int(system.clock().timestamp())
    for value, at in (("stop", now - 50), ("resume", now - 40), ("stop", now - 30)):
        chosen = {"user_id": USER_ID, "category": "marketing_messages", "value": value, "timestamp": at}
        await call(system, "cloud_api", cloud("a", user_preferences=[chosen]))
    assert (await suppressed(system), len(await kept(system))) == ([], 3)
    await call(system, "cloud_api", words("cloud_api", "Hi", "m2", number=PERSON))
    assert (await suppressed(system), await kept(system)) == ([PERSON], [])


async def test_the_list_of_kept_messages_has_pages(system: System) -> None:
    await system.package()
    await system.gateway_profile("waha", "a")
    for number in range(3):
        await call(system, "waha", words("waha", f"STOP {number}", f"m{number}"))
    page = (await system.http.get(LIST, params={"limit": 2})).json()
    rest = (await system.http.get(LIST, params={"limit": 2, "cursor": page["next_cursor"]})).json()
    assert [row["message_id"] for row in page["data"] + rest["data"]] == ["m0", "m1", "m2"]
