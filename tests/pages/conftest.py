"""Fixtures of the console's tests: a console in front of stub services, and a browser."""

from collections.abc import AsyncGenerator

import pytest
from e2e.browser import chromium
from pages.stubbed_console import StubbedConsole, StubbedTab, stubbed_console, stubbed_tab
from playwright.async_api import Browser


@pytest.fixture(scope="session")
async def stub_browser() -> AsyncGenerator[Browser]:
    async with chromium() as opened:
        yield opened


@pytest.fixture(scope="session")
async def _stubbed_console() -> AsyncGenerator[StubbedConsole]:
    async with stubbed_console() as console:
        yield console


@pytest.fixture
def console(_stubbed_console: StubbedConsole) -> StubbedConsole:
    """The console. Its services have one package with one profile."""
    _stubbed_console.services.reset()
    return _stubbed_console


@pytest.fixture
async def mona(stub_browser: Browser, console: StubbedConsole) -> AsyncGenerator[StubbedTab]:
    """A tab in which Mona is signed in."""
    async with stubbed_tab(stub_browser, console) as opened:
        yield opened
