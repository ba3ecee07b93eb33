"""Settings of packages over HTTP: invalid ones are refused by field, unlikely ones are accepted with a warning."""

from typing import Any

import pytest

from ingress.testing import System


@pytest.mark.parametrize(
    ("settings", "pointer"),
    [
        ({"gap": {"min_seconds": 300, "max_seconds": 60}}, "/gap"),
        ({"gap": {"spread": 0.9}}, "/gap/spread"),
        ({"gap": {"rush_factor": 0.5}}, "/gap/rush_factor"),
        ({"gap": {"calm_factor": 0}}, "/gap/calm_factor"),
        ({"gap": {"tempo_min": 2}}, "/gap/tempo_min"),
        ({"gap": {"tempo_max": 0.5}}, "/gap/tempo_max"),
        ({"gap": {"calm_tempo": -1}}, "/gap/calm_tempo"),
        ({"gap": {"fastest": 1.5}}, "/gap/fastest"),
        ({"gap": {"slack": 2}}, "/gap/slack"),
        ({"gap": {"pairs_under": -0.5}}, "/gap/pairs_under"),
        ({"profile_limits": {"per_hour": 0}}, "/profile_limits/per_hour"),
        ({"profile_limits": {"per_day": -3}}, "/profile_limits/per_day"),
        ({"profile_limits": {"unanswered_per_30_days": 0}}, "/profile_limits/unanswered_per_30_days"),
        ({"limits": {"concurrent_sends": 0}}, "/limits/concurrent_sends"),
        ({"timezone": "Mars/Base"}, "/timezone"),
        ({"rest_window": {"start": "01:00", "hours": 24}}, "/rest_window/hours"),
        ({"rest_window": {"start": "01:00", "hours": 4, "stagger_minutes": 90}}, "/rest_window/stagger_minutes"),
        ({"active_windows": [{"start": "08:00"}]}, "/active_windows/0/end"),
        ({"active_windows": [{"start": "01:00", "end": "05:00"}]}, ""),
        ({"recipient_quiet_hours": {"start": "21:00", "hours": 24}}, "/recipient_quiet_hours/hours"),
        ({"warm_up": {"days": 0}}, "/warm_up/days"),
        ({"warm_up": {"from_share": 1.5}}, "/warm_up/from_share"),
    ],
)
async def test_invalid_settings_are_refused_by_field(system: System, settings: dict[str, Any], pointer: str) -> None:
    made = await system.http.post("/packages", json={"package_id": "bad", "name": "Bad", **settings})
    assert made.status_code == 422, made.text
    assert made.json()["errors"][0]["pointer"] == pointer


async def test_an_hour_limit_above_the_day_limit_is_a_warning(system: System) -> None:
    odd = {"package_id": "odd", "name": "Odd", "profile_limits": {"per_hour": 200, "per_3_hours": 100, "per_day": 50}}
    made = await system.http.post("/packages", json=odd)
    assert made.status_code == 201, made.text
    assert {each["pointer"] for each in made.json()["warnings"]} >= {"/profile_limits/per_hour"}
