"""Drivers and simulator: every kind of content and every failure of the simulator, over its strict gateway APIs."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import pytest

from sender.core.delivery import Delivery
from sender.core.gateway_answer import LookupUnsupported, MessageFound, SendAccepted, SendInDoubt, SendRefused
from sender.gateways.cloud_api import CloudApiDriver
from sender.gateways.credentials import Keyring
from sender.gateways.driver import Driver
from sender.gateways.evolution import EvolutionDriver
from sender.gateways.http_client import GatewayClient, Timeouts
from sender.gateways.number_resolver import NumberResolver
from sender.gateways.uploads import UploadCache
from sender.gateways.waha import WahaDriver
from sender.testing import PHONE, released, reply, send_once
from sender.testing.contents import CONTENTS, DRIVERS, TEMPLATE, reply_with
from sender.testing.files import MemoryMedia, MemoryUploads
from sender.testing.gateway_server import KEYS
from sender.testing.numbers import MemoryNumbers
from simulator.core.failures import FAILURES
from simulator.testing import ACCOUNTS, CREDENTIALS, SimulatorClient, running_simulator
from spreader.clock import Clock, wall_now
from spreader.contract.configuration import Driver as Name
from spreader.contract.configuration import Gateway, Profile
from spreader.contract.content import CONTENT
from spreader.contract.events import DeliveryReleased
from spreader.vault import Vault

BASES = {"cloud_api": "/cloud/v23.0", "waha": "/waha", "evolution": "/evolution"}
EXPECTED: dict[Name, dict[str, str]] = {
    "cloud_api": {
        "429": "throttled",
        "2": "ambiguous",
        "131000": "ambiguous",
        "131016": "ambiguous",
        "500": "ambiguous",
        "502": "ambiguous",
        "503": "ambiguous",
        "504": "ambiguous",
    },
    "waha": {
        "401": "credentials",
        "403": "credentials",
        "404": "profile",
        "422": "session",
        "not_implemented": "content",
        "429": "throttled",
        "463": "restricted",
        "479": "transient",
        "no_whatsapp": "recipient",
        "500": "ambiguous",
        "502": "ambiguous",
        "503": "ambiguous",
        "504": "ambiguous",
    },
    "evolution": {
        "401": "credentials",
        "403": "credentials",
        "404": "profile",
        "429": "throttled",
        "463": "restricted",
        "479": "transient",
        "no_whatsapp": "recipient",
        "closed": "session",
        "timed_out": "ambiguous",
        "media": "content",
        "500": "ambiguous",
        "502": "ambiguous",
        "503": "ambiguous",
        "504": "ambiguous",
    },
}
"""The failure class of each simulator failure that is sent as an answer. The sender's own tests cover Meta's other
codes."""


@pytest.fixture(scope="module")
async def simulator(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[SimulatorClient]:
    async with running_simulator(tmp_path_factory.mktemp("simulator"), Clock(), delivered_share=0) as caller:
        for driver in DRIVERS:
            await caller.register_account(driver)
        yield caller


@pytest.fixture
async def drivers() -> AsyncGenerator[dict[str, Driver]]:
    client, keyring, files = GatewayClient("meeting", 10, Timeouts(30, 30)), Keyring(KEYS), MemoryMedia()
    await client.start()
    yield {
        "cloud_api": CloudApiDriver(client, keyring, files, UploadCache(MemoryUploads()), 30),
        "waha": WahaDriver(client, keyring, files, 30, NumberResolver(MemoryNumbers(), wall_now, per_hour=60)),
        "evolution": EvolutionDriver(client, keyring, files, 30),
    }
    await client.stop()


def at(simulator: SimulatorClient, driver: Name) -> Profile:
    sealed = Vault(KEYS).seal("p1", CREDENTIALS[driver])
    base_url = f"{simulator.address.geturl()}{BASES[driver]}"
    gateway = Gateway(driver=driver, base_url=base_url, account=ACCOUNTS[driver], sealed=sealed)
    return Profile(profile_id="p1", name="p1", phone="15550783881", gateway=gateway)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("kind", [*CONTENTS, "template"])
async def test_each_kind_of_content_passes_the_strict_checks_of_each_gateway(
    simulator: SimulatorClient, drivers: dict[str, Driver], driver: Name, kind: str
) -> None:
    delivery = reply_with(TEMPLATE if kind == "template" else CONTENTS[kind], quote="3EB0C0FFEE")
    answer = await send_once(drivers[driver], delivery, at(simulator, driver))
    if kind == "template" and driver != "cloud_api":
        assert isinstance(answer, SendRefused)
        return
    assert isinstance(answer, SendAccepted)
    line = (await simulator.ledger())[-1]
    assert (line["kind"], line["ok"], line["recipient"], line["quote"]) == (kind, True, PHONE, "3EB0C0FFEE")
    assert line["message_id"] == answer.gateway_message_id
    assert line["delivery_id"] == (reply().delivery_id if driver == "cloud_api" else None)


@pytest.mark.parametrize(
    ("driver", "code", "expected"),
    [(driver, code, expected) for driver, codes in EXPECTED.items() for code, expected in codes.items()],
)
async def test_each_failure_in_an_answer_has_its_class(
    simulator: SimulatorClient, drivers: dict[str, Driver], driver: Name, code: str, expected: str
) -> None:
    fault = {"kind": "fail", "code": code, "driver": driver, "as": "answer", "count": 1}
    response = await simulator.request("POST", "/faults", fault)
    assert response.status == 201, response
    answer = await send_once(drivers[driver], reply_with(CONTENTS["text"]), at(simulator, driver))
    assert not isinstance(answer, SendAccepted)
    assert ("ambiguous" if isinstance(answer, SendInDoubt) else answer.failure) == expected


async def test_the_table_above_has_every_failure_of_the_simulator() -> None:
    """Except those that only a receipt reports: ingress reads them."""
    receipts = {"error", "stuck"}
    for driver in ("waha", "evolution"):
        assert set(FAILURES[driver]) - receipts == set(EXPECTED[driver])


@pytest.mark.parametrize("code", [code for code in FAILURES["cloud_api"] if code not in EXPECTED["cloud_api"]])
async def test_each_code_of_meta_arrives_unchanged(
    simulator: SimulatorClient, drivers: dict[str, Driver], code: str
) -> None:
    fault = {"kind": "fail", "code": code, "driver": "cloud_api", "as": "answer", "count": 1}
    await simulator.request("POST", "/faults", fault)
    answer = await send_once(drivers["cloud_api"], reply_with(CONTENTS["text"]), at(simulator, "cloud_api"))
    assert isinstance(answer, SendRefused)
    assert answer.code == code


@pytest.mark.parametrize("driver", DRIVERS)
async def test_a_profile_is_checked_and_a_wrong_key_is_detected(
    simulator: SimulatorClient, drivers: dict[str, Driver], driver: Name
) -> None:
    profile = at(simulator, driver)
    checked = await drivers[driver].check(profile)
    assert (checked.ok, checked.session) == (True, "working")
    wrong = {**CREDENTIALS[driver], "access_token": "another", "api_key": "another"}
    gateway = profile.gateway.model_copy(update={"sealed": Vault(KEYS).seal("p1", wrong)})
    locked_out = await drivers[driver].check(profile.model_copy(update={"gateway": gateway}))
    assert (locked_out.ok, locked_out.session, locked_out.reached) == (False, "failed", True)
    answer = await send_once(
        drivers[driver], reply_with(CONTENTS["text"]), profile.model_copy(update={"gateway": gateway})
    )
    assert isinstance(answer, SendRefused)
    assert answer.failure == "credentials"


@pytest.mark.parametrize("driver", ["waha", "evolution"])
@pytest.mark.parametrize("number", ["5531987654321", "553187654321"])
async def test_a_brazilian_number_is_sent_to_in_the_form_that_whatsapp_knows(
    simulator: SimulatorClient, drivers: dict[str, Driver], driver: Name, number: str
) -> None:
    await simulator.register_account(driver, behaviour={"without_nine": ["553187654321"]})
    answer = await send_once(drivers[driver], released(recipient=number), at(simulator, driver))
    await simulator.register_account(driver)
    assert isinstance(answer, SendAccepted)
    line = (await simulator.ledger())[-1]
    assert (line["recipient"], line["code"]) == ("553187654321", None)


@pytest.mark.parametrize("driver", ["waha", "evolution"])
async def test_a_number_is_checked(simulator: SimulatorClient, drivers: dict[str, Driver], driver: Name) -> None:
    assert (await drivers[driver].check_number(at(simulator, driver), PHONE)).exists is True


def released_now(**changes: Any) -> DeliveryReleased:
    return released().model_copy(update={"released_at": wall_now(), **changes})


async def answered_with_an_error_after_it_was_sent(
    simulator: SimulatorClient, drivers: dict[str, Driver], driver: Name, delivery: Delivery
) -> None:
    fault = {"kind": "fail_after_sending", "code": "504", "driver": driver, "count": 1}
    assert (await simulator.request("POST", "/faults", fault)).status == 201
    assert isinstance(await send_once(drivers[driver], delivery, at(simulator, driver)), SendInDoubt)


async def keep_messages(simulator: SimulatorClient, keeps: bool = True) -> None:
    """Make WAHA's engine NOWEB keep its messages, as its configuration can."""
    config = {"noweb": {"store": {"enabled": keeps}}}
    path = f"/waha/api/sessions/{ACCOUNTS['waha']}"
    assert (await simulator.call_with_key("waha", "PUT", path, {"config": config})).status == 200


@pytest.mark.parametrize("driver", ["waha", "evolution"])
@pytest.mark.parametrize("kind", ["text", "image", "document", "video"])
async def test_a_message_in_doubt_is_found_at_its_gateway(
    simulator: SimulatorClient, drivers: dict[str, Driver], driver: Name, kind: str
) -> None:
    await keep_messages(simulator)
    delivery = released_now(content=CONTENT.validate_python(CONTENTS[kind]))
    earlier = delivery.model_copy(update={"released_at": wall_now() - timedelta(hours=1)})
    later = delivery.model_copy(update={"released_at": wall_now() + timedelta(hours=1)})
    await answered_with_an_error_after_it_was_sent(simulator, drivers, driver, delivery)
    line = (await simulator.ledger())[-1]
    profile = at(simulator, driver)
    for sought in (delivery, earlier):
        assert await drivers[driver].find(sought, profile) == MessageFound(line["message_id"], by_text=True)
    assert isinstance(await drivers[driver].find(later, profile), LookupUnsupported)
    elsewhere = delivery.model_copy(update={"recipient": "201001234599"})
    assert isinstance(await drivers[driver].find(elsewhere, profile), LookupUnsupported)


@pytest.mark.parametrize("driver", ["waha", "evolution"])
@pytest.mark.parametrize("number", ["5531987654322", "553187654322"])
async def test_a_brazilian_message_in_doubt_is_found_under_the_number_that_whatsapp_knows(
    simulator: SimulatorClient, drivers: dict[str, Driver], driver: Name, number: str
) -> None:
    await simulator.register_account(driver, behaviour={"without_nine": ["553187654322"]})
    await keep_messages(simulator)
    delivery = released_now(recipient=number)
    await answered_with_an_error_after_it_was_sent(simulator, drivers, driver, delivery)
    found = await drivers[driver].find(delivery, at(simulator, driver))
    await simulator.register_account(driver)
    assert found == MessageFound((await simulator.ledger())[-1]["message_id"], by_text=True)


async def test_waha_without_a_store_shows_no_messages(simulator: SimulatorClient, drivers: dict[str, Driver]) -> None:
    await keep_messages(simulator, keeps=False)
    delivery = released_now()
    await answered_with_an_error_after_it_was_sent(simulator, drivers, "waha", delivery)
    assert isinstance(await drivers["waha"].find(delivery, at(simulator, "waha")), LookupUnsupported)


async def test_a_lock_of_new_chats_is_found_when_the_profile_is_checked(
    simulator: SimulatorClient, drivers: dict[str, Driver]
) -> None:
    assert (await drivers["waha"].check(at(simulator, "waha"))).restriction is None
    path = f"/accounts/waha/{ACCOUNTS['waha']}/reports"
    report = {"kind": "time_lock", "seconds": 3600, "enforcement": "BIZ_COMMERCE_VIOLATION_DRUGS"}
    assert (await simulator.request("POST", path, report)).status == 202
    locked = (await drivers["waha"].check(at(simulator, "waha"))).restriction
    assert locked is not None
    assert locked.until is not None
    assert (locked.lanes, locked.failure) == (("open", "reply"), "account")
    assert timedelta(minutes=59) < locked.until - wall_now() <= timedelta(hours=1)
    await simulator.request("POST", path, {"kind": "time_lock", "seconds": None})
    assert (await drivers["waha"].check(at(simulator, "waha"))).restriction is None
