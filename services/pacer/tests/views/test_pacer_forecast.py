"""Foreseeing: what is asked about a message is answered the same before, while and after the pacer takes it in."""

from datetime import timedelta

import pytest

from pacer.core.forecast import PackageForecast
from pacer.testing import START, Pacer, assigned, package
from pacer.views.forecast import PlannedMessage
from spreader.contract.configuration import ProfileLimits
from spreader.contract.events import OpenOptions

pytestmark = pytest.mark.postgres


async def foreseen(pacer: Pacer, count: int, message_id: str | None = "msg_1") -> PackageForecast:
    outlook = await pacer.forecaster.message("one", PlannedMessage({"p0": count}, (), OpenOptions(), message_id))
    assert outlook is not None
    return outlook


async def test_what_is_taken_in_of_a_message_does_not_wait_ahead_of_itself(pacer: Pacer) -> None:
    """Dies where its own deliveries count as others: a hundred would be foreseen for two hundred."""
    before = await foreseen(pacer, 100)
    await pacer.hold(assigned(100))
    assert await foreseen(pacer, 100) == before
    another = await foreseen(pacer, 100, "msg_2")
    assert another == await foreseen(pacer, 100, None)
    assert another.completion is not None
    assert before.completion is not None
    assert another.completion - START > 1.5 * (before.completion - START)


async def test_what_has_gone_of_a_message_is_not_foreseen_again(pacer: Pacer) -> None:
    """Dies where the one that has gone is taken for one that waits: it would go a gap later."""
    await pacer.hold(assigned(3))
    (first,) = await pacer.release()
    await pacer.report("sent", first)
    left = await pacer.forecaster.queue(package())
    message = await foreseen(pacer, 3)
    assert message.completion == left.completion
    assert (sum(sum(each.values()) for each in message.curve.values()), message.profiles["p0"].deliveries) == (3, 3)


async def test_a_message_that_has_gone_before_it_is_asked_about_is_complete_now(pacer: Pacer) -> None:
    await pacer.hold(assigned(1), assigned(50, "msg_2"))
    (first,) = await pacer.release()
    assert first.message_id == "msg_1"
    assert (await foreseen(pacer, 1)).completion == START


async def test_a_what_if_answers_for_other_settings_and_changes_nothing(pacer: Pacer) -> None:
    slow, fast = (package(limits=ProfileLimits(per_hour=each, per_3_hours=3000, per_day=24 * each)) for each in (1, 10))
    pacer.config.configure(slow)
    await pacer.hold(assigned(30))
    present, then = await pacer.forecaster.queue(slow), await pacer.forecaster.queue(fast)
    assert present.completion is not None
    assert then.completion is not None
    assert then.completion - START < timedelta(hours=6) < timedelta(hours=28) < present.completion - START
    assert present.binds in {"hour limit", "day limit", "gap"}
    assert await pacer.states() == {"held": 30}
