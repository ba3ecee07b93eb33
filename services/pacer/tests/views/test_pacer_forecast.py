"""Forecast: a message has the same forecast before, while and after the pacer holds it."""

from datetime import timedelta

import pytest

from pacer.core.forecast.package_forecast import PackageForecast
from pacer.testing import START, Pacer, assigned, package
from pacer.views.forecast import PlannedMessage
from spreader.contract.configuration import ProfileLimits
from spreader.contract.events import OpenOptions

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
