"""Browser: a Chromium with one tab, used as an operator would. Errors in the page's console fail the test."""

import os
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from axe_playwright_python.async_playwright import Axe
from e2e.system import KEY, RunningSystem
from playwright.async_api import Browser, ConsoleMessage, Locator, Page, ViewportSize, async_playwright, expect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WAIT_SECONDS = 30.0
PHONE = (390, 844)
DESK = (1280, 900)

Scheme = Literal["light", "dark"]

_OVERFLOW = """() => {
    const width = window.innerWidth + 1, page = document.documentElement;
    if (page.scrollWidth <= width) return [];
    const right = each => { const range = document.createRange(); range.selectNodeContents(each);
        return Math.max(each.getBoundingClientRect().right, range.getBoundingClientRect().right); };
    const found = [...document.querySelectorAll('body *')].filter(each => right(each) > width);
    return [`${page.scrollWidth} wide`, ...found.slice(-4).map(each => each.outerHTML.slice(0, 200))];
}"""


def chromium_path() -> str:
    """The path of Chromium. Without one the test is skipped, or fails on CI (`make setup` installs it there)."""
    path = os.environ.get("SPREADER_CHROMIUM") or next((path for name in NAMES if (path := shutil.which(name))), None)
    if path is None:
        reason = "no Chromium: install it (Debian: apt-get install chromium) or set SPREADER_CHROMIUM to its path"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    return path


@asynccontextmanager
async def chromium() -> AsyncGenerator[Browser]:
    path = chromium_path()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Tab:
    system: RunningSystem
    page: Page
    console_errors: list[str] = field(default_factory=list[str])

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.system.ports['console']}"

    async def sign_in(self, key: str = KEY, path: str = "/") -> None:
        await self.page.goto(f"{self.address}{path}")
        await self.page.get_by_label("API key").fill(key)
        await self.page.get_by_label("Your name").fill("Mona")
        await self.page.keyboard.press("Enter")

    async def open(self, path: str) -> None:
        await self.page.goto(f"{self.address}{path}")
        await expect(self.page.locator("main h1")).to_be_visible()

    def by_test_id(self, name: str) -> Locator:
        return self.page.get_by_test_id(name)

    async def accessibility_violations(self) -> list[str]:
        """The serious and critical violations that axe reports."""
        report: Any = (await Axe().run(self.page)).response
        return [
            f"{violation['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:200]}"
            for violation in report["violations"]
            if violation["impact"] in ("serious", "critical")
            for node in violation["nodes"][:3]
        ]

    async def overflow(self) -> list[str]:
        """The innermost elements that reach beyond the right edge, if the page can be scrolled sideways."""
        return await self.page.evaluate(_OVERFLOW)


@asynccontextmanager
async def tab(
    browser: Browser, system: RunningSystem, scheme: Scheme = "light", size: tuple[int, int] = DESK
) -> AsyncGenerator[Tab]:
    """A tab that is not signed in. Fails at the end if the page wrote an error to the browser's console."""
    viewport: ViewportSize = {"width": size[0], "height": size[1]}
    context = await browser.new_context(
        color_scheme=scheme,
        viewport=viewport,
        reduced_motion="reduce",  # axe would report a colour in the middle of a transition as bad contrast
    )
    context.set_default_timeout(WAIT_SECONDS * 1000)
    expect.set_options(timeout=WAIT_SECONDS * 1000)
    page = await context.new_page()
    opened = Tab(system, page)

    def record_error(message: ConsoleMessage) -> None:
        if message.type == "error":
            opened.console_errors.append(message.text)

    page.on("console", record_error)
    page.on("pageerror", lambda error: opened.console_errors.append(str(error)))
    try:
        yield opened
    finally:
        await context.close()
    assert opened.console_errors == []
