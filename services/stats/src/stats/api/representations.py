"""Representations: alerts and rows of counts in the form in which the API returns them."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from typing_extensions import TypedDict

from spreader.http.openapi import derived
from stats.api.sql_history import COUNTED
from stats.core.alerts import AlertState, StoredAlert

_INTERNAL = frozenset({"delivered_open", "arrived", "night"})

AlertBody = derived("AlertBody", StoredAlert, state=AlertState)
_COUNTS = dict.fromkeys(COUNTED, int)


class Rates(TypedDict):
    """Shares from 0 to 1. Null: a share of 0 messages."""

    delivered: float | None
    read: float | None
    failed: float | None
    answered: float | None


class _Failures(TypedDict):
    failures: dict[str, int]


class _Rated(TypedDict):
    rates: Rates


HistoryRow = derived("HistoryRow", _Failures, at=datetime, profile_id=str | None, **_COUNTS)
ProfileReport = derived("ProfileReport", _Rated, profile_id=str, package_id=str, **_COUNTS)
PackageReport = derived("PackageReport", _Rated, package_id=str, **_COUNTS)
MessageReport = derived(
    "MessageReport", _Rated, message_id=str, package_id=str, first_at=datetime, last_at=datetime, **_COUNTS
)
MessageProfileReport = derived(
    "MessageProfileReport", _Rated, profile_id=str, package_id=str, first_at=datetime, last_at=datetime, **_COUNTS
)
SentMessageReport = derived("SentMessageReport", MessageReport, profiles=list[MessageProfileReport])


def alert_json(alert: StoredAlert) -> dict[str, Any]:
    return {**{name: value for name, value in asdict(alert).items() if name != "position"}, "state": alert.state}


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
