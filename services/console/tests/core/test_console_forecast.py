"""Forecast texts: an extrapolated time is marked as one."""

from datetime import UTC, datetime, timedelta

from console.core.api_models import ApiForecast
from console.ui import forecast

NOW = datetime(2026, 2, 10, 12, tzinfo=UTC)


def test_an_extrapolated_time_is_marked() -> None:
    simulated = ApiForecast(completion=NOW + timedelta(days=3))
    extrapolated = ApiForecast(completion=NOW + timedelta(days=3), counted_until=NOW + timedelta(days=1))
    text = forecast.completion(simulated, "UTC", NOW)
    assert "extrapolated" not in text
    assert forecast.completion(extrapolated, "UTC", NOW) == f"{text[:-1]}, extrapolated)"
