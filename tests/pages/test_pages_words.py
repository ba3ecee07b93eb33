"""Words: pages say where one is, in the words of operators, and with names in place of ids."""

import re

import pytest
from pages.stubbed_console import StubbedTab, queue
from playwright.async_api import expect

from spreader.clock import wall_now

pytestmark = pytest.mark.xdist_group("console")

JARGON = re.compile(r"ingress|pacer|\bopen message|\bprofile|\bheld\b|\brush\b|\bgap\b", re.IGNORECASE)
"""Words of the source code that an operator does not know."""


@pytest.mark.parametrize(
    ("path", "heading"),
    [
        ("", "Live"),
        ("/queue", "Queue and pacing"),
        ("/settings", "Settings"),
        ("/charts", "Charts"),
        ("/changes", "History"),
    ],
)
async def test_a_page_says_where_one_is(mona: StubbedTab, path: str, heading: str) -> None:
    """Before, every heading was the name of the package, and every title was `Spreader`."""
    await mona.open(f"/packages/shop{path}")
    await mona.sees(mona.page.get_by_role("heading", name=heading, exact=True))
    await expect(mona.page).to_have_title(f"{heading} · Demo · Spreader")
    await expect(mona.page.locator("main")).to_have_count(1)
    assert not JARGON.findall(await mona.page.locator("main").inner_text())


async def test_the_next_send_has_one_clock_and_says_in_how_long(mona: StubbedTab) -> None:
    at = wall_now().isoformat()
    pace = {
        "profile_id": "demo-4", "held": 12, "due": 3, "bound": "gap", "bounds": {"gap": at}, "next_release": at,
        "why": "The gap is not over.", "limits": {},
    }  # fmt: skip
    mona.services.answer("GET", "/packages/shop/queue", queue(held=12, profiles=[pace]))
    await mona.open("/packages/shop")
    row = mona.by_test_id("profile-demo-4")
    await expect(row).to_contain_text(re.compile(r"now \d\d:\d\d:\d\d"))
    await expect(row).to_contain_text("12 waiting · time between messages")


async def test_an_address_without_a_page_or_package_leads_back(mona: StubbedTab) -> None:
    for path, words in (("/nowhere", "Page not found"), ("/packages/nope", 'Package "nope" not found')):
        await mona.page.goto(f"{mona.console.address}{path}")
        await expect(mona.page.get_by_role("heading", name=words)).to_be_visible()
        await expect(mona.page.get_by_role("link", name="Back to packages")).to_be_visible()
    mona.errors.clear()  # the browser itself logs the 404


async def test_the_menu_on_a_phone_shows_how_many_alerts_there_are(mona: StubbedTab) -> None:
    alert = {
        "alert_id": "alr_1",
        "profile_id": "demo-4",
        "package_id": "shop",
        "kind": "session",
        "evidence": "unlinked",
    }
    mona.services.lists("/alerts", {**alert, "severity": "critical", "state": "raised"})
    await mona.page.set_viewport_size({"width": 390, "height": 844})
    await mona.open("/packages/shop")
    await mona.sees(mona.page.locator(".burger .pip"))
    await expect(mona.page.locator(".burger .pip")).to_have_text("1")
