"""Alerts: an operator sees the critical ones among hundreds, by name, and acknowledges many at once."""

import re
from typing import Any

import pytest
from pages.stubbed_console import StubbedTab
from playwright.async_api import expect

pytestmark = pytest.mark.xdist_group("console")


def alert(number: int, **other: Any) -> dict[str, Any]:
    known = {"profile_id": "demo-4", "package_id": "shop", "kind": "night", "severity": "warning", "state": "raised"}
    return {
        "alert_id": f"alr_{number:03}",
        "evidence": "10 of 47",
        "raised_at": "2026-03-01T12:00:00Z",
        **known,
        **other,
    }


async def test_a_critical_alert_is_seen_first_among_hundreds(mona: StubbedTab) -> None:
    """Before, the newest 200 hid it. The stub gives two pages, as stats does."""
    first = [alert(number) for number in range(250, 50, -1)]
    blocked = alert(0, kind="profile", severity="critical", evidence="the gateway refused it: profile_blocked")
    rest = [*(alert(number) for number in range(50, 10, -1)), alert(10, state="acknowledged"), blocked]
    mona.services.answer("GET", "/alerts", {"data": first, "next_cursor": "more"})
    mona.services.answer("GET", "/alerts?cursor=more", {"data": rest, "next_cursor": None})
    await mona.open("/alerts")
    cards = mona.page.locator("[data-testid^=alerts-]")
    await expect(cards.first.get_by_role("heading")).to_have_text("Phone blocked by WhatsApp – Demo phone 4 (Demo)")
    await mona.sees(cards.first.get_by_role("heading"))
    await expect(cards.nth(1)).to_contain_text("241 phones, 1 acknowledged")
    await expect(mona.page.get_by_role("link", name="Alerts").locator(".pip")).to_have_text("241")
    await expect(mona.page).to_have_title(re.compile(r"^\(241\) Alerts · Spreader$"))


async def test_all_alerts_of_a_kind_are_acknowledged_after_a_confirmation(mona: StubbedTab) -> None:
    mona.services.lists("/alerts", *(alert(number) for number in range(12)))
    for number in range(12):
        mona.services.answer("POST", f"/alerts/alr_{number:03}/acknowledge", {})
    await mona.open("/alerts")
    await expect(mona.by_test_id("acknowledge")).to_have_count(10)
    await mona.by_test_id("show-all").click()
    await expect(mona.by_test_id("acknowledge")).to_have_count(12)
    await mona.by_test_id("acknowledge-group").click()
    await expect(mona.by_test_id("confirm-dialog")).to_contain_text("Acknowledge 12 alerts?")
    await expect(mona.by_test_id("confirm-back")).to_be_focused()  # so Enter does not confirm
    await mona.by_test_id("confirm").click()
    await expect(mona.page.get_by_text("12 alerts acknowledged.")).to_be_visible()
    sent = [body for number in range(12) for body in mona.services.sent("POST", f"/alerts/alr_{number:03}/acknowledge")]
    assert sent == [{"by": "Mona"}] * 12


RECORD = """window.told = []; window.Notification = class {
    constructor(title, options) { window.told.push(options.body); }
    static requestPermission() { return Promise.resolve('granted'); } };"""


async def test_a_new_alert_is_told_on_the_desktop_only_if_the_operator_asked(mona: StubbedTab) -> None:
    await mona.page.add_init_script(RECORD)
    mona.services.lists("/alerts", alert(1))
    await mona.open("/packages/shop/settings")
    toggle = mona.page.get_by_role("button", name="Desktop")
    await expect(toggle).to_have_attribute("aria-pressed", "false")
    await toggle.click()
    await expect(toggle).to_have_attribute("aria-pressed", "true")
    mona.services.lists("/alerts", alert(2, kind="profile"), alert(1))
    await mona.page.wait_for_function("window.told.length > 0")
    assert await mona.page.evaluate("window.told") == ["Phone blocked by WhatsApp – Demo phone 4 (Demo)"]
