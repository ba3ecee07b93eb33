"""OpenAPI: the description of the statistics API, with the examples that several endpoints share."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI

from spreader.contract.events import Counts, Health, HealthReason, ProfileState, Windows
from spreader.http import openapi
from spreader.http.openapi import answer
from spreader.http.problem_schemas import Responses, problem_answers
from stats.api.problems import KINDS

TITLE = "Spreader statistics"
DESCRIPTION = (
    "What the profiles have sent and how they are: states, counts, alerts, exports and a stream of changes.\n\n"
    "Every failure is an `application/problem+json` (RFC 9457) with a `code` and, for fields, JSON pointers."
)
TAGS = [
    {"name": "profiles", "description": "The current state of each profile, and its automatic changes."},
    {"name": "packages", "description": "The current figures of all profiles of a package together."},
    {"name": "reports", "description": "Counts by time, and sums and rates of a span."},
    {"name": "alerts", "description": "Conditions that a person should know about."},
    {"name": "exports", "description": "Rows as files."},
    {"name": "events", "description": "Changes as server-sent events."},
]
EVERY_ENDPOINT = problem_answers(KINDS, (401, 422))
NOT_FOUND = problem_answers(KINDS, (404,))
OF_A_BODY = problem_answers(KINDS, (400,))
"""The problems of a request with a body that cannot be read."""


def documented(shape: Any, example: Any, *more: Responses) -> Responses:
    """The responses of an endpoint: a success with a body of this shape, and the problems in `more`."""
    return {200: answer(shape, example), **{status: each for part in more for status, each in part.items()}}


def install(app: FastAPI) -> None:
    """Let `app.openapi` return the document of the API."""
    openapi.install(app, KINDS, TITLE, description=DESCRIPTION, tags=TAGS)


def page_example(*rows: Any) -> dict[str, Sequence[Any] | None]:
    return {"data": rows, "next_cursor": None}


_COUNTS = Counts(sent=14, sent_open=9, acknowledged=14, delivered=12, read=7, received=6, answered=3)
STATE_EXAMPLE: dict[str, Any] = ProfileState.model_validate(
    {
        "profile_id": "profile_1",
        "package_id": "pkg_orders",
        "open": {"state": "limited", "cause": "quality yellow", "kind": "quality", "since": "2024-02-08T18:30:00Z"},
        "limit_factor": 0.5,
        "limit_cause": "quality yellow",
        "health": Health(
            score=83,
            band="good",
            reasons=(HealthReason(name="delivered", weight=30, share=0.86, evidence="12 of 14 delivered in 24 hours"),),
        ),
        "session": "working",
        "quality": "yellow",
        "windows": Windows(hour=_COUNTS, two_hours=_COUNTS, three_hours=_COUNTS, day=_COUNTS, week=_COUNTS),
        "at": "2024-02-08T18:46:00Z",
    }
).model_dump(mode="json")
ALERT_EXAMPLE: dict[str, Any] = {
    "alert_id": "alr_3c08u7j4800bgdm2i2i6fk70vc",
    "profile_id": "profile_1",
    "package_id": "pkg_orders",
    "kind": "health",
    "severity": "warning",
    "evidence": "the health score is 54",
    "raised_at": "2024-02-08T18:46:00Z",
    "acknowledged_at": None,
    "acknowledged_by": None,
    "cleared_at": None,
    "quiet_since": None,
    "state": "raised",
}
