"""Forecast: a message has the same forecast before, while and after the pacer holds it."""

from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from pacer.config_cache import PacerConfigCache
from pacer.core.forecast.package_forecast import PackageForecast
from pacer.testing import START, Pacer, assigned, package
from pacer.views.endpoints import add_endpoints
from pacer.views.forecast import Forecaster, PlannedMessage
from spreader.contract.configuration import ProfileLimits
from spreader.contract.events import OpenOptions, PackageConfigured
from spreader.testing import MemoryTable

pytestmark = pytest.mark.postgres


async def forecast(pacer: Pacer, count: int, message_id: str | None = "msg_1") -> PackageForecast:
    result = await pacer.forecaster.message("one", PlannedMessage({"p0": count}, (), OpenOptions(), message_id))
    assert result is not None
    return result


async def test_held_deliveries_of_a_message_are_not_ahead_of_it(pacer: Pacer) -> None:
    """Fails if the message's own deliveries count as ahead: 100 would be forecast like 200."""
    before = await forecast(pacer, 100)
    await pacer.hold(assigned(100))
    assert await forecast(pacer, 100) == before
    another = await forecast(pacer, 100, "msg_2")
    assert another == await forecast(pacer, 100, None)
    assert another.completion is not None
    assert before.completion is not None
    assert another.completion - START > 1.5 * (before.completion - START)


async def test_released_deliveries_of_a_message_are_not_forecast_again(pacer: Pacer) -> None:
    """Fails if a released delivery counts as waiting: it would be forecast a gap later."""
    await pacer.hold(assigned(3))
    (first,) = await pacer.release()
    await pacer.report("sent", first)
    left = await pacer.forecaster.queue(package())
    message = await forecast(pacer, 3)
    assert message.completion == left.completion
    assert (sum(sum(each.values()) for each in message.curve.values()), message.profiles["p0"].deliveries) == (3, 3)


async def test_a_message_that_is_released_completely_is_complete_now(pacer: Pacer) -> None:
    await pacer.hold(assigned(1), assigned(50, "msg_2"))
    (first,) = await pacer.release()
    assert first.message_id == "msg_1"
    assert (await forecast(pacer, 1)).completion == START


async def test_a_what_if_forecasts_other_settings_and_changes_nothing(pacer: Pacer) -> None:
    slow, fast = (package(limits=ProfileLimits(per_hour=each, per_3_hours=3000, per_day=24 * each)) for each in (1, 10))
    pacer.config.configure(slow)
    await pacer.hold(assigned(30))
    present, then = await pacer.forecaster.queue(slow), await pacer.forecaster.queue(fast)
    assert present.completion is not None
    assert then.completion is not None
    assert then.completion - START < timedelta(hours=6) < timedelta(hours=28) < present.completion - START
    assert present.binds in {"hour limit", "day limit", "gap"}
    assert await pacer.states() == {"held": 30}


class UnreadTable(MemoryTable[PackageConfigured]):
    """A table with a record that is read only when a caller waits for it."""

    def __init__(self, read: PackageConfigured, unread: PackageConfigured) -> None:
        super().__init__({"one": read})
        self._unread = unread

    async def wait_until_read(self, satisfied: Callable[[], bool], timeout: float) -> bool:
        if not satisfied():
            self.set("one", self._unread)
        return satisfied()


async def test_a_forecast_waits_for_the_version_of_the_package_that_the_message_was_routed_with(pacer: Pacer) -> None:
    """Without the wait, a message to a new profile has no forecast, or one without that profile."""
    read, unread = package(1), package(2).model_copy(update={"version": 2})
    table = UnreadTable(PackageConfigured(package=read, at=START), PackageConfigured(package=unread, at=START))
    config = PacerConfigCache(table, pacer.config.states, pacer.config.margins)
    app = FastAPI()
    add_endpoints(app, Forecaster(pacer.engine, config, pacer.clock, pacer.forecaster.compute), pacer.explainer)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://pacer") as http:
        asked = {"package_id": "one", "package_version": 2, "deliveries": {"p1": 3}}
        answer = (await http.post("/forecast", json=asked)).json()
    assert answer["completion"] is not None
    assert answer["profiles"].keys() == {"p1"}
