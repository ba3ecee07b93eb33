"""Edits: nothing that an operator types is lost or overwritten, and impossible values are refused in the form."""

import re

import pytest
from pages.stubbed_console import StubbedTab
from playwright.async_api import Dialog, expect

BORDER = "field => getComputedStyle(field.closest('.q-field__control'), '::after').borderColor"

pytestmark = pytest.mark.xdist_group("console")


async def test_impossible_values_are_refused_where_they_are_typed(mona: StubbedTab) -> None:
    await mona.open("/packages/shop/settings")
    await mona.by_test_id("field-profile_limits-per_hour").fill("abc")
    await expect(mona.page.get_by_text("Enter a number, such as 20.")).to_be_visible()
    await expect(mona.page.get_by_text("Correct first: In an hour")).to_be_visible()
    await mona.by_test_id("field-profile_limits-per_hour").fill("1000")
    await expect(mona.page.get_by_text("it would never take effect")).to_be_visible()
    field = mona.by_test_id("field-profile_limits-per_hour")
    assert await field.evaluate(BORDER) == "rgb(179, 38, 30)"  # red: before, a wrong field had a green border
    await expect(mona.by_test_id("save")).to_be_disabled()
    await mona.by_test_id("field-profile_limits-per_hour").fill("40")
    await expect(mona.by_test_id("save")).to_be_enabled()
    await mona.by_test_id("field-active_windows").fill("9-5")
    await expect(mona.page.get_by_text("These hours end before they begin.")).to_be_visible()


async def test_unsaved_changes_are_not_lost_by_a_link_or_the_back_button(mona: StubbedTab) -> None:
    asked: list[str] = []

    async def stay(dialog: Dialog) -> None:
        asked.append(dialog.message)
        await dialog.dismiss()

    mona.page.on("dialog", stay)
    await mona.open("/packages/shop/queue")
    await mona.page.get_by_role("link", name="Settings").click()
    await mona.by_test_id("field-profile_limits-per_hour").fill("40")
    await expect(mona.page.get_by_text("1 change: In an hour")).to_be_visible()
    await mona.page.get_by_role("link", name="Charts").click()
    await mona.page.evaluate("history.back()")
    await expect(mona.page).to_have_url(re.compile("/settings$"))
    await expect(mona.by_test_id("field-profile_limits-per_hour")).to_have_value("40")
    assert asked == ["Leave without saving your changes?"] * 2
    await mona.by_test_id("field-profile_limits-per_hour").fill("45")
    await expect(mona.page.get_by_text("Nothing changed yet.")).to_be_visible()
    await mona.page.get_by_role("link", name="Charts").click()
    await expect(mona.page).to_have_url(re.compile("/charts$"))


async def test_a_page_says_that_somebody_else_saved_meanwhile(mona: StubbedTab) -> None:
    await mona.open("/packages/shop/settings")
    await expect(mona.by_test_id("changed-meanwhile")).to_have_count(0)
    mona.services.lists("/packages", {"package_id": "shop", "name": "Demo", "version": 2, "profile_ids": ["demo-4"]})
    await expect(mona.by_test_id("changed-meanwhile")).to_be_visible()
