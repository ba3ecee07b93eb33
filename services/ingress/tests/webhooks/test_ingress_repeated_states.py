"""Repeated states: a session that cannot connect reports the same state again and again, and is published once."""

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from ingress.testing import System, signed
from ingress.webhooks.repeated_states import SECONDS, RepeatedStates
from spreader.contract.events import ProfileReported, Quota, Restriction

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
CONNECTING: dict[str, Any] = {"event": "connection.update", "instance": "a", "data": {"state": "connecting"}}
BAD = ProfileReported(
    profile_id="a", package_id="pkg", report_id="1", session="starting", code="connecting", evidence="x", at=NOON
)


def at(event: dict[str, Any], second: int, **data: Any) -> dict[str, Any]:
    changed = copy.deepcopy(event)
    changed["data"] |= data
    return {**changed, "date_time": f"2026-06-01T12:00:{second:02}Z"}


async def test_a_loop_of_equal_states_is_published_once(system: System) -> None:
    await system.package()
    await system.gateway_profile("evolution", "a")
    states = ["connecting"] * 5 + ["open"] * 2 + ["connecting"] * 3
    for second, state in enumerate(states):
        body = at(CONNECTING, second, state=state)
        response = await system.http.post("/webhooks/evolution/pkg/a", **signed("evolution", "a", body))
        assert response.status_code == 200
    sessions = [each.session for each in system.bus.of(ProfileReported)]
    assert sessions == ["starting", "working", "working", "starting"]


async def test_a_state_that_was_not_published_is_no_repeat(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    await system.package()
    await system.gateway_profile("evolution", "a")
    monkeypatch.setattr(system.bus, "loses_acknowledgements", True)
    first = await system.http.post("/webhooks/evolution/pkg/a", **signed("evolution", "a", at(CONNECTING, 1)))
    monkeypatch.setattr(system.bus, "loses_acknowledgements", False)
    second = await system.http.post("/webhooks/evolution/pkg/a", **signed("evolution", "a", at(CONNECTING, 2)))
    assert (first.status_code, second.status_code) == (503, 200)
    assert len(system.bus.of(ProfileReported)) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"code": "refused"},
        {"session": "stopped"},
        {"session": "working"},
        {"profile_id": "b"},
        {"quality": "red"},
        {"restriction": Restriction(lanes=("open",), failure="restricted")},
        {"quota": Quota(total=10, used=1, resets_at=None, warning="none")},
    ],
)
def test_only_an_equal_state_is_a_repeat(change: dict[str, Any]) -> None:
    states = RepeatedStates(_clock(0))
    states.on_published(BAD)
    assert states.is_repeat(BAD.model_copy(update={"report_id": "2", "evidence": "y"}))
    changed = BAD.model_copy(update=change)
    assert not states.is_repeat(changed)
    states.on_published(changed)
    assert states.is_repeat(BAD) == (changed.profile_id == "b")


def test_an_equal_state_is_published_again_after_some_time() -> None:
    seconds = [0.0]
    states = RepeatedStates(lambda: seconds[0])
    states.on_published(BAD)
    seconds[0] = SECONDS - 1
    assert states.is_repeat(BAD)
    seconds[0] = SECONDS
    assert not states.is_repeat(BAD)


def _clock(seconds: float) -> Callable[[], float]:
    return lambda: seconds
