"""Representations: alerts and rows of counts in the form in which the API returns them."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from stats.core.alerts import StoredAlert

_INTERNAL = frozenset({"delivered_open", "arrived", "night"})


def alert_json(alert: StoredAlert) -> dict[str, Any]:
    return {**asdict(alert), "state": alert.state}


def history_json(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the history."""
    failures = row["failures"]
    return {**row, "failures": json.loads(failures) if isinstance(failures, str) else failures}


def report_json(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a report with its rates, without the sums that only the rates need."""
    sent, failed = row["sent"], row["failed"]
    rates = {
        "delivered": _rate(row["delivered"], sent),
        "read": _rate(row["read"], sent),
        "failed": _rate(failed, sent + failed),
        "answered": _rate(row["answered"], row["delivered_open"]),
    }
    return {**{name: value for name, value in row.items() if name not in _INTERNAL}, "rates": rates}


def _rate(part: int, whole: int) -> float | None:
    return round(min(part / whole, 1.0), 4) if whole else None
