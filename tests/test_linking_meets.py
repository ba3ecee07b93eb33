"""Linking and simulator: accounts are linked and webhooks set over the simulator's strict gateway APIs."""

import base64
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sender.gateways.credentials import Keyring
from sender.gateways.evolution import DEVICE as EVOLUTION_DEVICE
from sender.gateways.http_client import GatewayClient, Timeouts
from sender.gateways.linked_device import LinkedDevice
from sender.gateways.waha import DEVICE as WAHA_DEVICE
from sender.linking.cloud_api import CloudApiWebhookSetter
from sender.linking.evolution import EvolutionLinker
from sender.linking.linker import Linker, WebhookSetter
from sender.linking.waha import WahaLinker
from sender.testing.files import MemoryMedia
from sender.testing.gateway_server import KEYS
from simulator.testing import ACCOUNTS, CREDENTIALS, FakeWebhook, SimulatorClient, fake_webhook, running_simulator
from spreader.clock import Clock
from spreader.contract.configuration import Driver, Gateway, Profile
from spreader.contract.link_answers import LinkMethod
from spreader.vault import Vault

BASES: dict[Driver, str] = {"cloud_api": "/cloud/v23.0", "waha": "/waha", "evolution": "/evolution"}
LINKED: tuple[Driver, ...] = ("waha", "evolution")
PHONE = "201000000001"
PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class Setup:
    """The simulator with one account of each gateway, whose keys also create others; the linkers; and a webhook."""

    simulator: SimulatorClient
    linkers: dict[Driver, Linker]
    setters: dict[Driver, WebhookSetter]
    hook: FakeWebhook

    def profile(self, driver: Driver, account: str | None = None) -> Profile:
        sealed = Vault(KEYS).seal("p1", CREDENTIALS[driver])
        base_url = f"{self.simulator.address.geturl()}{BASES[driver]}"
        gateway = Gateway(driver=driver, base_url=base_url, account=account or ACCOUNTS[driver], sealed=sealed)
        return Profile(profile_id="p1", name="p1", phone=PHONE, gateway=gateway)

    async def phone_links(self, driver: Driver, account: str) -> None:
        """Somebody scans the image or enters the code."""
        reports = f"/accounts/{driver}/{account}/reports"
        assert (await self.simulator.request("POST", reports, {"kind": "session", "status": "working"})).status == 202


@pytest.fixture
async def setup(tmp_path: Path) -> AsyncGenerator[Setup]:
    client = GatewayClient("linking", 10, Timeouts(30, 30))
    await client.start()
    devices = [
        LinkedDevice(client, Keyring(KEYS), MemoryMedia(), 30, *each) for each in (WAHA_DEVICE, EVOLUTION_DEVICE)
    ]
    waha, evolution = WahaLinker(devices[0]), EvolutionLinker(devices[1])
    cloud = CloudApiWebhookSetter(client, Keyring(KEYS))
    async with fake_webhook() as hook, running_simulator(tmp_path, Clock(), delivered_share=0) as simulator:
        for driver in BASES:
            await simulator.register_account(driver)
        setters: dict[Driver, WebhookSetter] = {"waha": waha, "evolution": evolution, "cloud_api": cloud}
        yield Setup(simulator, {"waha": waha, "evolution": evolution}, setters, hook)
    await client.stop()


def events(hook: FakeWebhook) -> list[Any]:
    return [
        call.get("payload", {}).get("status") or call["data"].get("state") or call["event"] for call in hook.accepted
    ]


@pytest.mark.parametrize("driver", LINKED)
@pytest.mark.parametrize("method", ["qr", "code"])
async def test_a_new_account_is_created_linked_and_logged_out(setup: Setup, driver: Driver, method: LinkMethod) -> None:
    linker, profile = setup.linkers[driver], setup.profile(driver, "new")
    assert (await linker.progress(profile, None, has_code=False)).refused
    first = await linker.begin(profile, method, setup.hook.url)
    assert (first.session, first.refused) == ("unlinked", False)
    if method == "qr":
        assert base64.b64decode(first.qr_png or "").startswith(PNG)
    else:
        assert len((first.code or "").replace("-", "")) == 8
    await setup.phone_links(driver, "new")
    assert (await linker.progress(profile, method, has_code=True)).session == "working"
    await setup.hook.wait_until(lambda hook: {"WORKING", "open"} & set(events(hook)) != set())
    assert (await linker.begin(profile, method, None)).session == "working"
    assert (await linker.log_out(profile)).session == "unlinked"
    assert (await linker.progress(profile, None, has_code=False)).session != "working"
    assert (await linker.begin(profile, method, None)).session == "unlinked"


async def test_evolution_makes_a_code_for_an_instance_that_shows_images(setup: Setup) -> None:
    linker, profile = setup.linkers["evolution"], setup.profile("evolution", "new")
    assert (await linker.begin(profile, "qr", None)).code is None
    assert (await linker.begin(profile, "code", None)).code is not None


async def test_wahas_failed_session_is_started_again(setup: Setup) -> None:
    linker, profile = setup.linkers["waha"], setup.profile("waha")
    failed = {"kind": "session", "status": "failed"}
    assert (await setup.simulator.request("POST", "/accounts/waha/default/reports", failed)).status == 202
    assert (await linker.progress(profile, "qr", has_code=False)).refused
    assert (await linker.begin(profile, "qr", None)).session == "working"


@pytest.mark.parametrize("driver", LINKED)
async def test_a_webhook_is_set_read_back_and_called(setup: Setup, driver: Driver) -> None:
    profile = setup.profile(driver)
    result = await setup.setters[driver].set_webhook(profile, setup.hook.url, restart=True, waba_id=None)
    assert [step for step in result.steps if not step.ok] == []
    assert (result.is_set, result.call_due) == (True, True)
    await setup.hook.wait_until(lambda hook: {"WORKING", "open"} & set(events(hook)) != set())
    assert (await setup.linkers[driver].progress(profile, None, has_code=False)).session == "working"
    headers = setup.hook.calls[-1].headers
    secret = CREDENTIALS["evolution"]["webhook_token"]
    assert "X-Webhook-Hmac" in headers or headers["Authorization"] == f"Bearer {secret}"


async def test_waha_is_not_restarted_without_confirmation(setup: Setup) -> None:
    profile = setup.profile("waha")
    result = await setup.setters["waha"].set_webhook(profile, setup.hook.url, restart=False, waba_id=None)
    assert not result.is_set
    shown = await setup.simulator.call_with_key("waha", "GET", "/waha/api/sessions/default")
    assert shown.body["config"]["webhooks"][0]["url"] != setup.hook.url


async def test_meta_calls_the_address_before_it_takes_it(setup: Setup) -> None:
    profile = setup.profile("cloud_api")
    result = await setup.setters["cloud_api"].set_webhook(profile, setup.hook.url, restart=False, waba_id=None)
    assert [(step.name, step.ok) for step in result.steps] == [
        ("business account", True), ("set", True), ("read back", True),
    ]  # fmt: skip
    away = "http://127.0.0.1:1/away"
    refused = await setup.setters["cloud_api"].set_webhook(profile, away, restart=False, waba_id=None)
    assert (refused.is_set, "(#2200)" in refused.steps[1].detail) == (False, True)
