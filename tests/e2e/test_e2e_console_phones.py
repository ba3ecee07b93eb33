"""Phones in the console, over the running system: import, link, move, remove, and a queue in pages."""

import re
from collections.abc import AsyncGenerator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from e2e.browser import Tab, chromium, tab
from e2e.system import RunningSystem, eventually, recipients
from playwright.async_api import Browser, expect

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]

PHONES = 60
NODES_MAX = 2_000
IN_VIEW = """element => { const box = element.getBoundingClientRect();
    return box.left >= 0 && box.top >= 0 && box.right <= innerWidth && box.bottom <= innerHeight; }"""


@pytest.fixture(scope="module")
async def browser() -> AsyncGenerator[Browser]:
    async with chromium() as opened:
        yield opened


@pytest.fixture
async def mona(browser: Browser, fast: RunningSystem) -> AsyncGenerator[Tab]:
    async with tab(browser, fast) as opened:
        await opened.sign_in()
        await expect(opened.page.get_by_role("heading", name="Packages", exact=True)).to_be_visible()
        yield opened


async def import_phones(mona: Tab, tmp_path: Path) -> None:
    rows = [f"Phone {n:03},2017{n:08},simulator" for n in range(PHONES)]
    file = tmp_path / "phones.csv"
    file.write_text("\n".join(["name,number,gateway", *rows, "Nobody,12,simulator"]))
    await mona.open("/packages/fleet")
    await mona.page.get_by_role("link", name="Import phones").click()
    await mona.by_test_id("phone-file").locator("input[type=file]").set_input_files(file)
    await expect(mona.by_test_id("wrong-rows")).to_contain_text("“12” is not a phone number")
    await mona.by_test_id("create-phones").click()
    await expect(mona.by_test_id("confirm-dialog")).to_contain_text(f"Create {PHONES} phones in “fleet”?")
    await mona.page.keyboard.press("Enter")  # Enter goes back
    await expect(mona.by_test_id("confirm-dialog")).to_be_hidden()
    assert (await mona.system.ask("GET", "/packages/fleet")).body["profile_ids"] == []
    await mona.by_test_id("create-phones").click()
    await mona.by_test_id("confirm").click()
    await expect(mona.by_test_id("import-done")).to_contain_text(f"{PHONES} phones created.", timeout=120_000)


async def look_at_the_queue(mona: Tab) -> None:
    await mona.open("/packages/fleet/queue")
    await expect(mona.page.locator('[data-testid^="pace-"]')).to_have_count(50)
    assert await mona.page.evaluate("document.querySelectorAll('*').length") < NODES_MAX
    first = mona.page.locator('[data-testid^="pace-"]').first
    await expect(first).not_to_contain_text("Time between messages")
    await first.get_by_role("button").click()
    await expect(first).to_contain_text("Time between messages")


async def test_many_phones_are_imported_found_moved_and_removed(mona: Tab, tmp_path: Path) -> None:
    await mona.system.create_package("fleet", 0)
    await mona.system.create_package("reserve", 0)
    await import_phones(mona, tmp_path)
    await look_at_the_queue(mona)
    await mona.open("/packages/fleet/phones")
    await expect(mona.page.get_by_text(re.compile(f"{PHONES} WhatsApp accounts"))).to_be_visible()
    assert await mona.page.evaluate("document.querySelectorAll('*').length") < NODES_MAX
    await mona.by_test_id("find-phone").fill("Phone 01")
    await expect(mona.page.locator('[data-testid^="phone-prf"]')).to_have_count(10)
    body: dict[str, Any] = {"type": "text", "text": "Hello", "recipients": recipients(120, 740_000)}
    body["options"] = {"schedule_at": "2090-01-01T00:00:00Z"}  # they stay in the queue
    assert (await mona.system.ask("POST", "/packages/fleet/messages/open", body)).status == 202
    queue = partial(mona.system.ask, "GET", "/packages/fleet/queue")
    await eventually(queue, 30, lambda answer: answer.body["held"] == 120)
    await mona.by_test_id("all").click()
    await expect(mona.by_test_id("chosen")).to_have_text("10 phones chosen")
    await mona.by_test_id("bulk-move").click()
    await expect(mona.by_test_id("move-dialog")).to_contain_text("the other 50 phones of “fleet”")
    assert await mona.by_test_id("move-dialog").evaluate(IN_VIEW)
    await mona.by_test_id("move-to").click()
    await mona.page.get_by_role("option", name="reserve").click()
    await mona.by_test_id("confirm").click()
    await expect(mona.page.get_by_text("No phone fits the search")).to_be_visible()
    moved = set((await mona.system.ask("GET", "/packages/reserve")).body["profile_ids"])
    assert len(moved) == 10

    async def held_elsewhere() -> bool:
        queue = (await mona.system.ask("GET", "/packages/fleet/queue")).body
        mine = (await mona.system.ask("GET", "/packages/reserve/queue")).body
        return not moved & {pace["profile_id"] for pace in queue["profiles"]} and mine["held"] == 0

    await eventually(held_elsewhere, 60)

    await mona.open("/phones")
    await mona.by_test_id("filter-package").click()
    await mona.page.get_by_role("option", name="reserve").click()
    await mona.by_test_id("all").click()
    await mona.by_test_id("bulk-remove").click()
    await expect(mona.by_test_id("confirm-dialog")).to_contain_text("Remove 10 phones?")
    await mona.by_test_id("confirm").click()
    await expect(mona.page.get_by_text("No phone fits the search")).to_be_visible()
    assert (await mona.system.ask("GET", "/packages/reserve")).body["profile_ids"] == []
    for package_id in ("reserve", "fleet"):
        await mona.open(f"/packages/{package_id}/settings")
        await mona.by_test_id("delete-package").click()
        await expect(mona.by_test_id("confirm-dialog")).to_contain_text("This cannot be undone.")
        await mona.by_test_id("confirm").click()
        await expect(mona.page.get_by_role("heading", name="Packages", exact=True)).to_be_visible()
        assert (await mona.system.ask("GET", f"/packages/{package_id}")).status == 404


async def test_a_phone_is_added_linked_by_picture_and_checked(mona: Tab) -> None:
    """WAHA of the simulator, which has no such session yet."""
    await mona.system.create_package("linked", 0)
    secrets = {"api_key": "SECRET-KEY-1", "hmac_key": "SECRET-HMAC-1"}
    other = {"profile_id": "elsewhere", "package_id": "linked", "phone": "201150000002", "credentials": secrets}
    put = await mona.system.ask_simulator(
        "PUT", "/accounts/waha/elsewhere", {**other, "webhook_url": "http://127.0.0.1:9/calls"}
    )
    assert put.status == 200, put.body  # so that this WAHA accepts the key
    await mona.open("/packages/linked")
    await mona.page.get_by_role("link", name="Add a phone").first.click()
    await mona.by_test_id("make").click()
    await expect(mona.page.get_by_text("Enter a name.")).to_be_visible()
    await mona.by_test_id("new-name").fill("Sales 1")
    await mona.by_test_id("new-phone").fill("+20 115 000 0001")
    await mona.by_test_id("new-gateway-base_url").fill(f"http://127.0.0.1:{mona.system.ports['simulator']}/waha")
    await mona.by_test_id("new-gateway-account").fill("linked-1")
    await mona.by_test_id("new-gateway-credentials-api_key").fill("SECRET-KEY-1")
    await mona.by_test_id("new-gateway-credentials-hmac_key").fill("SECRET-HMAC-1")
    await mona.by_test_id("make").click()
    await expect(mona.page.get_by_role("heading", name="Sales 1")).to_be_visible()
    await expect(mona.page.get_by_text("The gateway does not know this account.")).to_be_visible()  # in the toast
    await mona.by_test_id("check").click()
    await expect(mona.by_test_id("advice")).to_contain_text("press “Link this phone”")
    assert "SECRET" not in await mona.page.content()
    await mona.by_test_id("link-qr").click()
    picture = mona.by_test_id("qr")
    await expect(picture).to_be_visible()
    assert await picture.evaluate("image => image.complete && image.naturalWidth > 50")
    await mona.system.ask_simulator("POST", "/accounts/waha/linked-1/reports", {"kind": "session", "status": "working"})
    await expect(mona.by_test_id("linked")).to_be_visible()
    await expect(picture).to_be_hidden()
    await mona.by_test_id("check").click()
    await expect(mona.by_test_id("advice")).to_contain_text("Connected.")
    address = mona.by_test_id("webhook-address")
    await expect(address).to_contain_text("/api/v1/webhooks/waha/linked/")
    await mona.by_test_id("set-webhook").click()
    await expect(mona.by_test_id("confirm-dialog")).to_contain_text("WAHA restarts the session")
    await mona.by_test_id("confirm").click()
    await expect(mona.by_test_id("webhook-set")).to_contain_text("Not set.")  # this system has no public address
    await expect(mona.by_test_id("webhook-steps")).to_contain_text("SPREADER_PUBLIC_URL")
    await mona.by_test_id("remove-phone").click()
    await expect(mona.by_test_id("confirm-dialog")).to_contain_text("Remove “Sales 1”?")
    await mona.by_test_id("confirm-back").click()
    await expect(mona.by_test_id("confirm-dialog")).to_be_hidden()
    assert len((await mona.system.ask("GET", "/packages/linked")).body["profile_ids"]) == 1
