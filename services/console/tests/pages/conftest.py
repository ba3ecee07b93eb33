"""Fixtures of the tests of pages."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import pytest

from console.testing import FakeServices, OpenPage, open_page

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def services() -> FakeServices:
    return FakeServices()


@pytest.fixture
async def opened(services: FakeServices) -> AsyncGenerator[OpenPage]:
    async with open_page(services, NOON) as page:
        yield page
