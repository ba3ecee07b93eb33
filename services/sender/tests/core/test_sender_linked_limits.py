"""Linked limits: WhatsApp's lock and quota, in the forms of each engine."""

from datetime import UTC, datetime
from typing import Any

import pytest

from sender.core.linked_limits import active_lock, new_chat_quota
from spreader.contract.events import Quota, Restriction

ENDS = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("ends", [1780315200, "1780315200", "2026-06-01T12:00:00Z", "2026-06-01T12:00:00"])
def test_a_lock_is_read_in_both_forms(ends: Any) -> None:
    open_lane = Restriction(lanes=("open",), failure="restricted", until=ENDS)
    assert active_lock({"isActive": True, "enforcementType": "DEFAULT", "timeEnforcementEnds": ends}) == open_lane
    assert active_lock({"is_active": True, "time_enforcement_ends": ends}) == open_lane
    commerce = {"is_active": True, "enforcement_type": "BIZ_COMMERCE_VIOLATION_ALCOHOL", "time_enforcement_ends": ends}
    assert active_lock(commerce) == Restriction(lanes=("open", "reply"), failure="account", until=ENDS)


@pytest.mark.parametrize("lock", [None, {}, [], "x", {"isActive": False}, {"isActive": None}, {"isActive": "true"}])
def test_what_is_no_active_lock_restricts_and_lifts_nothing(lock: Any) -> None:
    assert active_lock(lock) is None


@pytest.mark.parametrize("ends", [None, "soon", {}, 10**30, float("inf")])
def test_a_lock_without_a_readable_end_is_a_lock(ends: Any) -> None:
    lock = active_lock({"isActive": True, "timeEnforcementEnds": ends})
    assert lock == Restriction(lanes=("open",), failure="restricted")


def test_a_quota_is_read_in_both_forms() -> None:
    quota = Quota(total=100, used=80, resets_at=ENDS, warning="second")
    baileys = {"total_quota": 100, "used_quota": 80, "cycle_end_timestamp": 1780315200}
    assert new_chat_quota({**baileys, "capping_status": "SECOND_WARNING"}) == quota
    waha = {"totalQuota": 100, "usedQuota": 80, "cycleEnd": 1780315200, "cappingStatus": "SECOND_WARNING"}
    assert new_chat_quota(waha) == quota
    assert new_chat_quota(baileys) == quota.model_copy(update={"warning": "none"})


@pytest.mark.parametrize(
    "counter",
    [None, {}, [], {"total_quota": -1, "used_quota": 0}, {"total_quota": 100}, {"total_quota": "x", "used_quota": 1},
     {"total_quota": True, "used_quota": 1}],
)  # fmt: skip
def test_what_is_no_quota_is_none(counter: Any) -> None:
    assert new_chat_quota(counter) is None
