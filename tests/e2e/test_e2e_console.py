"""Console in a browser over the running system: it shows what happens, and its forms take effect."""

import os
import re
import signal
from collections.abc import AsyncGenerator, Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from e2e.browser import PHONE, Scheme, Tab, chromium, tab
from e2e.system import RunningSystem, eventually, recipients
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
async def mona(browser: Browser, fast: RunningSystem) -> AsyncGenerator[Tab]:
    """A tab that is signed in, on a system with a package of two profiles."""
    if (await fast.ask("GET", "/packages/shop")).status == 404:
        await fast.create_package("shop", 2, **SHOP)
    async with tab(browser, fast) as opened:
        await opened.sign_in()
        await expect(opened.page.get_by_role("heading", name="Packages", exact=True)).to_be_visible()
        yield opened


async def test_only_a_valid_key_signs_in_and_signing_out_ends_the_session(
    browser: Browser, fast: RunningSystem
) -> None:
    async with tab(browser, fast) as opened:
        await opened.sign_in("wrong-key", "/packages/shop/queue")
        await expect(opened.page.get_by_role("alert")).to_contain_text("Wrong API key.")
        opened.console_errors.clear()  # the browser itself logs the 401
        await opened.sign_in(path="/packages/shop/queue")
        await expect(opened.page).to_have_url(
            f"{opened.address}/packages/shop/queue"
        )  # the page that was requested first
        await expect(opened.page.locator("main h1")).to_be_visible()
        kept: list[Any] = list(await opened.page.context.cookies())
        (cookie,) = [each for each in kept if each["name"] == "spreader_session"]
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
        assert "e2e-key" not in cookie["value"]
        await opened.page.get_by_role("button", name="Sign out").click()
        await expect(opened.page.get_by_role("heading", name="Sign in to Spreader")).to_be_visible()
        await opened.page.context.add_cookies([cookie])  # a copy of the old cookie is invalid
        await opened.page.goto(f"{opened.address}/alerts")
        await expect(opened.page.get_by_role("heading", name="Sign in to Spreader")).to_be_visible()


async def test_the_live_table_follows_a_send_without_a_reload(
    mona: Tab, request: pytest.FixtureRequest, keep: Callable[[str, Mapping[str, Any]], None]
) -> None:
    """Measures from the gateway's ledger line to the page, by one clock. The fastest of several sends counts, because
    other tests may slow the machine down."""
    ids = await mona.system.create_package("watched", 1, rest_window=None)
    await mona.open("/packages/watched")
    await expect(mona.by_test_id(f"profile-{ids[0]}")).to_contain_text("0/120")
    await mona.page.evaluate("window.kept = true")
    took: list[float] = []
    for number in range(TRIES):
        body = {"type": "text", "text": "Hello", "recipients": recipients(1, 700_000 + number), **AT_ONCE}
        sent = await mona.system.ask("POST", "/packages/watched/messages/open", body)
        shown = await mona.page.wait_for_function(SHOWN_AT, arg=[f"profile-{ids[0]}", f"{number + 1}/120"])
        message_id = str(sent.body["message_id"])
        (line,) = await eventually(
            lambda of=message_id: mona.system.ledger(of), 30
        )  # the status view may lag behind the page
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


async def test_a_limit_changed_in_the_form_takes_effect_is_shown_and_can_be_undone(mona: Tab) -> None:
    await mona.open("/packages/shop/settings")
    await mona.by_test_id("field-profile_limits-per_hour").fill("7")
    await mona.by_test_id("field-gap-min_seconds").fill("900")
    await mona.by_test_id("field-gap-max_seconds").fill("60")
    await mona.by_test_id("save").click()
    await expect(mona.page.get_by_text(re.compile("is over `max_seconds`")).first).to_be_visible()
    await mona.by_test_id("field-gap-min_seconds").fill("")
    await mona.by_test_id("field-gap-max_seconds").fill("")
    await mona.by_test_id("foresee").click()
    await expect(mona.by_test_id("what-if")).to_contain_text("With your changes")
    await mona.by_test_id("save").click()
    await expect(mona.page.get_by_text("Nothing changed yet.")).to_be_visible()
    kept = (await mona.system.ask("GET", "/packages/shop")).body
    assert kept["profile_limits"]["per_hour"] == 7

    async def in_force() -> set[int]:
        queue = (await mona.system.ask("GET", "/packages/shop/queue")).body
        return {each["limits"]["hour limit"]["limit"] for each in queue["profiles"]}

    await eventually(in_force, 20, lambda limits: limits == {7})
    await mona.page.get_by_role("link", name="Live").click()
    await expect(mona.by_test_id("profile-shop_p1")).to_contain_text("/7")
    await mona.page.get_by_role("link", name="History").click()
    change = mona.by_test_id(f"change-{kept['version']}")
    await expect(change).to_contain_text("Mona")
    await expect(change).to_contain_text("In an hour")
    await mona.by_test_id(f"undo-{kept['version']}").click()
    await mona.by_test_id("confirm").click()
    await eventually(in_force, 20, lambda limits: limits == {10})


async def test_a_campaign_is_composed_previewed_sent_watched_and_cancelled(mona: Tab) -> None:
    await mona.system.create_package("campaign", 2, **SHOP)
    await mona.open("/packages/campaign/compose")
    await mona.by_test_id("send").click()
    await expect(mona.by_test_id("answer")).to_contain_text("at least one recipient")
    await mona.by_test_id("text").fill("Hello! Check out our new offers…")
    await mona.by_test_id("recipients").fill(", ".join(recipients(300, 710_000)))
    await mona.by_test_id("preview").click()
    await expect(mona.by_test_id("shares")).to_contain_text("campaign_p2")
    await expect(mona.by_test_id("answer")).to_contain_text("150")
    await mona.by_test_id("send").click()
    await expect(mona.page.get_by_role("heading", name="Text to 300 recipients")).to_be_visible()
    await mona.page.evaluate("window.kept = true")
    await expect(mona.by_test_id("counts").locator(".legend")).to_contain_text(re.compile("delivered|read|sent"))
    await mona.by_test_id("why").first.click()
    await expect(mona.by_test_id("explained").first).to_contain_text("was chosen (round robin")
    await mona.by_test_id("cancel").click()
    await mona.by_test_id("cancel-surely").click()
    await expect(mona.by_test_id("counts")).to_contain_text("cancelled")
    await expect(mona.by_test_id("counts")).not_to_contain_text(re.compile("waiting|being sent"), timeout=60_000)
    assert await mona.page.evaluate("window.kept") is True
    message_id = mona.page.url.rsplit("/", 1)[1]
    counts = (await mona.system.ask("GET", f"/messages/{message_id}")).body["counts"]
    assert (counts["held"], counts["cancelled"] > 200) == (0, True)
    assert len(await mona.system.ledger(message_id)) == 300 - counts["cancelled"]


async def test_a_reply_goes_out_at_once(mona: Tab) -> None:
    await mona.open("/packages/shop/compose")
    await mona.by_test_id("lane").click()
    await mona.page.get_by_role("option", name="Reply").click()
    await mona.by_test_id("text").fill("Thank you for your order!")
    await mona.by_test_id("recipient").fill("+20 150 072 0001")
    await mona.by_test_id("send").click()
    await expect(mona.by_test_id("reply-sent")).to_contain_text("Sent through shop_p")
    await mona.page.get_by_role("link", name="Conversations").click()
    await mona.by_test_id("customer").fill("201500720001")
    await mona.by_test_id("find").click()
    await expect(mona.page.get_by_text("Assigned phone")).to_be_visible()


async def test_a_paused_profile_shows_it(mona: Tab) -> None:
    await mona.open("/packages/shop/profiles/shop_p2")
    await mona.by_test_id("pause").click()
    await expect(mona.by_test_id("fares")).to_contain_text("○ Paused")
    await mona.page.get_by_role("link", name="Live").click()
    await expect(mona.by_test_id("profile-shop_p2")).to_contain_text("○ Paused")
    assert (await mona.system.ask("GET", "/packages/shop/profiles/shop_p2")).body["paused"] is True
    await mona.system.ask("POST", "/packages/shop/profiles/shop_p2/resume")  # by another operator
    await expect(mona.by_test_id("profile-shop_p2")).not_to_contain_text("○ Paused")


async def test_an_operator_reopens_lanes_that_were_closed_automatically(browser: Browser, live: RunningSystem) -> None:
    first, _ = await live.create_package("reopened", 2)
    fault = {"kind": "fail", "code": "profile_blocked", "profile": first, "count": 1}
    assert (await live.ask_simulator("POST", "/faults", fault)).status == 201
    body = {"type": "text", "text": "Hello", "recipients": recipients(2, 720_000), **AT_ONCE}
    assert (await live.ask("POST", "/packages/reopened/messages/open", body)).status == 202

    async def lane() -> str:
        return (await live.ask_at("stats", f"/api/v1/profiles/{first}")).body["open"]["state"]

    async with tab(browser, live) as opened:
        await opened.sign_in(path=f"/packages/reopened/profiles/{first}")
        await opened.by_test_id("reopen").click()
        await expect(opened.page.get_by_text("Its lanes are open again.")).to_be_visible()
        await expect(opened.by_test_id("reopen")).to_be_hidden()
    assert await lane() != "blocked"


async def test_an_import_of_ten_thousand_rows_names_the_fifty_bad_ones(mona: Tab, tmp_path: Path) -> None:
    bad = range(100, 10_000, 198)
    rows = [f"Customer {n},{'not a number' if n in bad else f'2017{n:08}'}" for n in range(10_000)]
    assert len(bad) == 50
    file = tmp_path / "customers.csv"
    file.write_text("\n".join(["Name,Mobile", *rows]))
    await mona.system.create_package("imports", 2, **SHOP)
    await mona.open("/packages/imports/compose")
    await mona.by_test_id("file").locator("input[type=file]").set_input_files(file)
    counts = mona.by_test_id("import-counts")
    await expect(counts).to_contain_text(re.compile("9.950 recipients"))
    await expect(counts).to_contain_text("50 wrong rows")
    lines = mona.by_test_id("import-errors").locator("tbody tr")
    await expect(lines).to_have_count(50)
    await expect(lines.first).to_contain_text(str(bad[0] + 2))  # line numbers as in a spreadsheet: the header is line 1
    await expect(lines.first).to_contain_text("not a number")
    await mona.by_test_id("text").fill("Hello")
    await mona.by_test_id("preview").click()
    await expect(mona.by_test_id("shares")).to_contain_text(re.compile("4.975"))


async def test_send_waits_until_the_chosen_column_of_a_file_is_read(mona: Tab, tmp_path: Path) -> None:
    """Without the wait, a part of the list was sent, and a torn number became a recipient. The file has 500,000 rows,
    so that reading takes seconds, but only 200 numbers in each column."""
    rows = [f"Customer {n}," + (f"2017{n:08},2018{n:08}" if n % 2_500 == 0 else "-,-") for n in range(500_000)]
    file = tmp_path / "customers.csv"
    file.write_text("\n".join(["Name,Old mobile,New mobile", *rows]))
    await mona.system.create_package("waits", 1, **SHOP)
    await mona.open("/packages/waits/compose")
    await mona.by_test_id("text").fill("Hello")
    await mona.by_test_id("file").locator("input[type=file]").set_input_files(file)
    await mona.by_test_id("column").click()  # the first column with numbers is being read
    await mona.page.get_by_role("option", name="New mobile").click()
    await mona.by_test_id("send").click()
    await expect(mona.by_test_id("answer")).to_contain_text("still being read")
    await expect(mona.by_test_id("import").locator("details[open]")).to_be_visible(timeout=60_000)
    await mona.by_test_id("send").click()
    await expect(mona.page.get_by_role("heading", name="Text to 200 recipients")).to_be_visible()
    (message,) = (await mona.system.ask("GET", "/packages/waits/messages")).body["data"]
    path = f"/messages/{message['message_id']}"
    sent_to = [
        each["recipient"] for each in (await mona.system.ask("GET", f"{path}/deliveries?limit=200")).body["data"]
    ]
    assert sorted(sent_to) == [f"2018{n:08}" for n in range(0, 500_000, 2_500)]
    assert (await mona.system.ask("POST", f"{path}/cancel")).status == 202


async def test_a_form_does_not_overwrite_what_somebody_else_saved(mona: Tab) -> None:
    await mona.system.create_package("shared", 1, **SHOP)
    await mona.open("/packages/shared/settings")
    await mona.by_test_id("field-profile_limits-per_day").fill("30")
    await mona.system.ask("PATCH", "/packages/shared", {"profile_limits": {"per_hour": 6}})
    await mona.by_test_id("save").click()
    await expect(mona.by_test_id("changed")).to_contain_text("changed it from 10 to 6")
    await mona.by_test_id("load-present").click()
    await expect(mona.by_test_id("field-profile_limits-per_hour")).to_have_value("6")
    await mona.by_test_id("save").click()
    await expect(mona.page.get_by_text("Nothing changed yet.")).to_be_visible()
    limits = (await mona.system.ask("GET", "/packages/shared")).body["profile_limits"]
    assert (limits["per_hour"], limits["per_day"]) == (6, 30)
    await mona.system.ask("PATCH", "/packages/shared/profiles/shared_p1", {"limits": {"per_hour": 3}})
    await mona.open("/packages/shared/profiles/shared_p1")
    await mona.by_test_id("package-limits-per_hour").click()
    await mona.by_test_id("save").click()
    await expect(mona.page.get_by_text("Nothing changed yet.")).to_be_visible()
    profile = (await mona.system.ask("GET", "/packages/shared/profiles/shared_p1")).body
    assert (profile["limits"], profile["effective_limits"]["per_hour"]) == ({}, 6)


async def test_a_service_that_is_away_shows_and_recovers(mona: Tab) -> None:
    await mona.open("/packages/shop")
    await expect(mona.by_test_id("profile-shop_p1")).to_contain_text("●")
    await expect(mona.by_test_id("notice")).to_have_count(0)
    pid = mona.system.pid("stats")
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    await expect(mona.by_test_id("notice").first).to_contain_text("Statistics unavailable")
    await expect(mona.by_test_id("notice").first).to_contain_text(re.compile(r"figures are \d+ s old"))
    os.kill(pid, signal.SIGKILL)
    await expect(mona.by_test_id("notice")).to_have_count(0, timeout=90_000)
    await expect(mona.by_test_id("profile-shop_p1")).to_contain_text("●")


OF_PACKAGE = (
    "",
    "/queue",
    "/settings",
    "/compose",
    "/messages",
    "/consent",
    "/conversations",
    "/charts",
    "/reports",
    "/changes",
    "/profiles/shop_p1",
    "/new-profile",
)
PAGES = ("/", "/alerts", "/new", *(f"/packages/shop{path}" for path in OF_PACKAGE))


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_pages_are_accessible_and_fit_a_phone(browser: Browser, mona: Tab, scheme: Scheme) -> None:
    async with tab(browser, mona.system, scheme, PHONE if scheme == "light" else (1280, 900)) as opened:
        await opened.page.goto(f"{opened.address}/sign-in")
        violations = {"/sign-in": await opened.accessibility_violations()}
        await opened.sign_in()
        await expect(opened.page.locator("main h1")).to_be_visible()
        for path in PAGES:
            await opened.open(path)
            violations[path] = await opened.accessibility_violations()
            assert (path, await opened.overflow()) == (path, [])
        assert {path: reports for path, reports in violations.items() if reports} == {}


async def test_the_keyboard_is_enough(mona: Tab) -> None:
    await mona.open("/packages/shop")
    await mona.page.keyboard.press("Tab")
    await expect(mona.page.get_by_role("link", name="Go to the content")).to_be_focused()
    await mona.page.get_by_role("link", name="Settings").focus()
    await mona.page.keyboard.press("Enter")
    await mona.by_test_id("field-profile_limits-per_day").focus()
    await mona.page.keyboard.press("Control+a")
    await mona.page.keyboard.type("41")
    await expect(mona.page.get_by_text("1 change: In 24 hours")).to_be_visible()
