"""The console in a browser, over the running system: it shows what happens, and what is done in it has effect."""

import os
import re
import signal
from collections.abc import AsyncGenerator, Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from e2e.browsing import PHONE, Scheme, Tab, chromium, tab
from e2e.running import Running, eventually, recipients
from playwright.async_api import Browser, expect

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]

SEEN_SECONDS = 2.0
TRIES = 6
SHOWN_AT = """([name, text]) => {
    const found = document.querySelector(`[data-testid="${name}"]`);
    return found && found.innerText.includes(text) ? Date.now() : null;
}"""
AT_ONCE = {"options": {"waiting_strategy": "immediate"}}
SHOP = {"rest_window": None, "profile_limits": {"per_hour": 10, "per_3_hours": 20, "per_day": 40}}


@pytest.fixture(scope="module")
async def browser() -> AsyncGenerator[Browser]:
    async with chromium() as opened:
        yield opened


@pytest.fixture
async def mona(browser: Browser, fast: Running) -> AsyncGenerator[Tab]:
    """Somebody who is signed in, with a package of two profiles to look at."""
    if (await fast.ask("GET", "/packages/shop")).status == 404:
        await fast.package("shop", 2, **SHOP)
    async with tab(browser, fast) as opened:
        await opened.sign_in()
        await expect(opened.page.get_by_role("heading", name="Packages", exact=True)).to_be_visible()
        yield opened


async def test_only_who_has_the_key_gets_in_and_who_leaves_is_out(browser: Browser, fast: Running) -> None:
    async with tab(browser, fast) as opened:
        await opened.sign_in("wrong-key", "/packages/shop/queue")
        await expect(opened.page.get_by_role("alert")).to_contain_text("does not take this key")
        opened.complaints.clear()  # the browser itself writes down the 401
        await opened.sign_in(path="/packages/shop/queue")
        await expect(opened.page).to_have_url(f"{opened.address}/packages/shop/queue")  # where one was going
        await expect(opened.page.locator("main h1")).to_be_visible()
        kept: list[Any] = list(await opened.page.context.cookies())
        (cookie,) = [each for each in kept if each["name"] == "spreader_session"]
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
        assert "e2e-key" not in cookie["value"]
        await opened.page.get_by_role("button", name="Sign out").click()
        await expect(opened.page.get_by_role("heading", name="Sign in to Spreader")).to_be_visible()
        await opened.page.context.add_cookies([cookie])  # a copy of the cookie opens nothing
        await opened.page.goto(f"{opened.address}/alerts")
        await expect(opened.page.get_by_role("heading", name="Sign in to Spreader")).to_be_visible()


async def test_the_live_table_follows_a_send_without_a_reload(
    mona: Tab, request: pytest.FixtureRequest, keep: Callable[[str, Mapping[str, Any]], None]
) -> None:
    """From the gateway's line to the page, by one clock. Beside other tests the send that is seen soonest counts."""
    ids = await mona.system.package("watched", 1, rest_window=None)
    await mona.open("/packages/watched")
    await expect(mona.test(f"profile-{ids[0]}")).to_contain_text("0/120")
    await mona.page.evaluate("window.kept = true")
    took: list[float] = []
    for number in range(TRIES):
        body = {"type": "text", "text": "Hello", "recipients": recipients(1, 700_000 + number), **AT_ONCE}
        sent = await mona.system.ask("POST", "/packages/watched/messages/open", body)
        shown = await mona.page.wait_for_function(SHOWN_AT, arg=[f"profile-{ids[0]}", f"{number + 1}/120"])
        message_id = str(sent.body["message_id"])
        (line,) = await eventually(lambda of=message_id: mona.system.ledger(of), 30)  # the view may be behind the page
        took.append(await shown.json_value() / 1000 - datetime.fromisoformat(line["wall"]).timestamp())
        if took[-1] <= SEEN_SECONDS and not request.config.getoption("--record"):
            break
    assert min(took) <= SEEN_SECONDS
    assert await mona.page.evaluate("window.kept") is True
    took.sort()
    keep(
        "live-latency",
        {"from": "the gateway's line to the page", "sends": len(took), "seconds": [round(each, 2) for each in took]},
    )


async def test_a_limit_that_is_changed_in_the_form_is_in_force_and_shown_and_taken_back(mona: Tab) -> None:
    await mona.open("/packages/shop/settings")
    await mona.test("field-profile_limits-per_hour").fill("7")
    await mona.test("field-gap-min_seconds").fill("900")
    await mona.test("field-gap-max_seconds").fill("60")
    await mona.test("save").click()
    await expect(mona.page.get_by_text(re.compile("is over `max_seconds`")).first).to_be_visible()
    await mona.test("field-gap-min_seconds").fill("")
    await mona.test("field-gap-max_seconds").fill("")
    await mona.test("foresee").click()
    await expect(mona.test("what-if")).to_contain_text("With your changes")
    await mona.test("save").click()
    await expect(mona.page.get_by_text("Nothing changed yet.")).to_be_visible()
    kept = (await mona.system.ask("GET", "/packages/shop")).body
    assert kept["profile_limits"]["per_hour"] == 7

    async def in_force() -> set[int]:
        queue = (await mona.system.ask("GET", "/packages/shop/queue")).body
        return {each["limits"]["hour limit"]["limit"] for each in queue["profiles"]}

    await eventually(in_force, 20, lambda limits: limits == {7})
    await mona.page.get_by_role("link", name="Live").click()
    await expect(mona.test("profile-shop_p1")).to_contain_text("/7")
    await mona.page.get_by_role("link", name="History").click()
    change = mona.test(f"change-{kept['version']}")
    await expect(change).to_contain_text("Mona")
    await expect(change).to_contain_text("In an hour")
    await mona.test(f"undo-{kept['version']}").click()
    await eventually(in_force, 20, lambda limits: limits == {10})


async def test_a_campaign_is_composed_previewed_sent_watched_and_cancelled(mona: Tab) -> None:
    await mona.system.package("campaign", 2, **SHOP)
    await mona.open("/packages/campaign/compose")
    await mona.test("send").click()
    await expect(mona.test("answer")).to_contain_text("at least one recipient")
    await mona.test("text").fill("Hello! Check out our new offers…")
    await mona.test("recipients").fill(", ".join(recipients(300, 710_000)))
    await mona.test("preview").click()
    await expect(mona.test("shares")).to_contain_text("campaign_p2")
    await expect(mona.test("answer")).to_contain_text("150")
    await mona.test("send").click()
    await expect(mona.page.get_by_role("heading", name="Text to 300 recipients")).to_be_visible()
    await mona.page.evaluate("window.kept = true")
    await expect(mona.test("counts").locator(".legend")).to_contain_text(re.compile("delivered|read|sent"))
    await mona.test("why").first.click()
    await expect(mona.test("explained").first).to_contain_text("was chosen, by round robin")
    await mona.test("cancel").click()
    await mona.test("cancel-surely").click()
    await expect(mona.test("counts")).to_contain_text("cancelled")
    await expect(mona.page.get_by_text("300 of 300 done")).to_be_visible(timeout=60_000)
    assert await mona.page.evaluate("window.kept") is True
    message_id = mona.page.url.rsplit("/", 1)[1]
    counts = (await mona.system.ask("GET", f"/messages/{message_id}")).body["counts"]
    assert (counts["held"], counts["cancelled"] > 200) == (0, True)
    assert len(await mona.system.ledger(message_id)) == 300 - counts["cancelled"]


async def test_a_reply_goes_out_at_once(mona: Tab) -> None:
    await mona.open("/packages/shop/compose")
    await mona.test("lane").click()
    await mona.page.get_by_role("option", name="Reply").click()
    await mona.test("text").fill("Thank you for your order!")
    await mona.test("recipient").fill("+20 150 072 0001")
    await mona.test("send").click()
    await expect(mona.test("reply-sent")).to_contain_text("Sent through shop_p")
    await mona.page.get_by_role("link", name="Conversations").click()
    await mona.test("customer").fill("201500720001")
    await mona.test("find").click()
    await expect(mona.page.get_by_text("Talks to")).to_be_visible()


async def test_a_paused_profile_shows_it(mona: Tab) -> None:
    await mona.open("/packages/shop/profiles/shop_p2")
    await mona.test("pause").click()
    await expect(mona.test("fares")).to_contain_text("○ Paused")
    await mona.page.get_by_role("link", name="Live").click()
    await expect(mona.test("profile-shop_p2")).to_contain_text("○ Paused")
    assert (await mona.system.ask("GET", "/packages/shop/profiles/shop_p2")).body["paused"] is True
    await mona.system.ask("POST", "/packages/shop/profiles/shop_p2/resume")  # by somebody else
    await expect(mona.test("profile-shop_p2")).not_to_contain_text("○ Paused")


async def test_who_knows_better_opens_what_was_closed_by_itself(browser: Browser, live: Running) -> None:
    first, _ = await live.package("reopened", 2)
    fault = {"kind": "fail", "code": "profile_blocked", "profile": first, "count": 1}
    assert (await live.ask_simulator("POST", "/faults", fault)).status == 201
    body = {"type": "text", "text": "Hello", "recipients": recipients(2, 720_000), **AT_ONCE}
    assert (await live.ask("POST", "/packages/reopened/messages/open", body)).status == 202

    async def lane() -> str:
        return (await live.ask_at("stats", f"/api/v1/profiles/{first}")).body["open"]["state"]

    async with tab(browser, live) as opened:
        await opened.sign_in(path=f"/packages/reopened/profiles/{first}")
        await opened.test("reopen").click()
        await expect(opened.page.get_by_text("Its lanes are open again.")).to_be_visible()
        await expect(opened.test("reopen")).to_be_hidden()
    assert await lane() != "blocked"


async def test_an_import_of_ten_thousand_rows_names_the_fifty_bad_ones(mona: Tab, tmp_path: Path) -> None:
    bad = range(100, 10_000, 198)
    rows = [f"Customer {n},{'not a number' if n in bad else f'2017{n:08}'}" for n in range(10_000)]
    assert len(bad) == 50
    file = tmp_path / "customers.csv"
    file.write_text("\n".join(["Name,Mobile", *rows]))
    await mona.system.package("imports", 2, **SHOP)
    await mona.open("/packages/imports/compose")
    await mona.test("file").locator("input[type=file]").set_input_files(file)
    counts = mona.test("import-counts")
    await expect(counts).to_contain_text(re.compile("9.950 recipients"))
    await expect(counts).to_contain_text("50 wrong rows")
    lines = mona.test("import-errors").locator("tbody tr")
    await expect(lines).to_have_count(50)
    await expect(lines.first).to_contain_text(str(bad[0] + 2))  # as a spreadsheet counts, below the header
    await expect(lines.first).to_contain_text("not a number")
    await mona.test("text").fill("Hello")
    await mona.test("preview").click()
    await expect(mona.test("shares")).to_contain_text(re.compile("4.975"))


async def test_a_service_that_is_away_shows_and_recovers(mona: Tab) -> None:
    await mona.open("/packages/shop")
    await expect(mona.test("profile-shop_p1")).to_contain_text("●")
    await expect(mona.test("notice")).to_have_count(0)
    pid = mona.system.pid("stats")
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    await expect(mona.test("notice").first).to_contain_text("The stats give no answer")
    await expect(mona.test("notice").first).to_contain_text(re.compile(r"figures .* are \d+ s old"))
    os.kill(pid, signal.SIGKILL)
    await expect(mona.test("notice")).to_have_count(0, timeout=90_000)
    await expect(mona.test("profile-shop_p1")).to_contain_text("●")


OF_PACKAGE = ("", "/queue", "/settings", "/compose", "/messages", "/consent", "/conversations", "/charts", "/reports",
              "/changes", "/profiles/shop_p1", "/new-profile")  # fmt: skip
PAGES = ("/", "/alerts", "/new", *(f"/packages/shop{path}" for path in OF_PACKAGE))


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nobody_is_kept_out_by_how_a_page_is_made(browser: Browser, mona: Tab, scheme: Scheme) -> None:
    """By axe; and every page fits a phone."""
    async with tab(browser, mona.system, scheme, PHONE if scheme == "light" else (1280, 900)) as opened:
        await opened.page.goto(f"{opened.address}/sign-in")
        found = {"/sign-in": await opened.problems()}
        await opened.sign_in()
        await expect(opened.page.locator("main h1")).to_be_visible()
        for path in PAGES:
            await opened.open(path)
            found[path] = await opened.problems()
            assert (path, await opened.too_wide()) == (path, [])
        assert {path: said for path, said in found.items() if said} == {}


async def test_the_keyboard_is_enough(mona: Tab) -> None:
    await mona.open("/packages/shop")
    await mona.page.keyboard.press("Tab")
    await expect(mona.page.get_by_role("link", name="Go to the content")).to_be_focused()
    await mona.page.get_by_role("link", name="Settings").focus()
    await mona.page.keyboard.press("Enter")
    await mona.test("field-profile_limits-per_day").focus()
    await mona.page.keyboard.press("Control+a")
    await mona.page.keyboard.type("41")
    await expect(mona.page.get_by_text("1 change: In 24 hours")).to_be_visible()
