"""Toasts: an operator sees each of them, at every width of the window."""

import pytest
from pages.stubbed_console import StubbedConsole, stubbed_tab
from playwright.async_api import Browser, expect

pytestmark = pytest.mark.xdist_group("console")


@pytest.mark.parametrize("size", [(390, 844), (768, 1024), (1440, 900)])
async def test_toasts_are_inside_the_window(
    stub_browser: Browser, console: StubbedConsole, size: tuple[int, int]
) -> None:
    console.services.answer("POST", "/packages/shop/profiles/demo-4/pause", {})
    async with stubbed_tab(stub_browser, console, size) as mona:
        await mona.open("/packages/shop/profiles/demo-4")
        await mona.by_test_id("pause").click()
        success = mona.page.locator(".q-notification").filter(has_text="paused.")
        await mona.sees(success)
        assert (await success.bounding_box() or {"width": 0})["width"] > 120
        console.services.answer("POST", "/packages/shop/profiles/demo-4/pause", {"detail": "Kafka is away."}, 503)
        await mona.by_test_id("pause").click()
        error = mona.page.locator(".q-notification").filter(has_text="Kafka is away")
        await mona.sees(error)
        await expect(error).to_have_attribute("role", "alert")
