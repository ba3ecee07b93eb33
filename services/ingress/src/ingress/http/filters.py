"""Filters: the query parameters that choose the rows of a list. A parameter with several values separates them by
commas."""

from collections.abc import Sequence
from typing import Annotated, Any, get_args

from fastapi import Query
from pydantic import AwareDatetime

from ingress.core.status import STATUSES, MessageStatus
from spreader.contract.events import FailureClass

VALUES_MAX = 100
_ID = "[A-Za-z0-9_-]{1,64}"
_NUMBER = "[0-9]{7,15}"


def _several(pattern: str) -> str:
    return f"^(?:{pattern})(?:,(?:{pattern})){{0,{VALUES_MAX - 1}}}$"


def _query(what: str, pattern: str, **more: Any) -> Any:
    return Query(description=f"Only {what}. Several values are separated by commas.", pattern=_several(pattern), **more)


Statuses = Annotated[str | None, _query("deliveries with this status", "|".join(STATUSES))]
Failures = Annotated[str | None, _query("deliveries that failed for this reason", "|".join(get_args(FailureClass)))]
MessageStatuses = Annotated[str | None, _query("messages with this status", "|".join(get_args(MessageStatus)))]
MessageIds = Annotated[str | None, _query("this message", _ID)]
PackageIds = Annotated[str | None, _query("this package", _ID)]
ProfileIds = Annotated[str | None, _query("this profile", _ID)]
Recipients = Annotated[str | None, _query("this phone number", _NUMBER)]
From = Annotated[
    AwareDatetime | None,
    Query(alias="from", description="Only what was accepted at this time or later. Write a `+` as `%2B`."),
]
To = Annotated[
    AwareDatetime | None, Query(description="Only what was accepted before this time. Write a `+` as `%2B`.")
]


def several(text: str | None) -> Sequence[str] | None:
    """The values of a filter; None if the request does not have it."""
    return None if text is None else text.split(",")


def given(**filters: Any) -> dict[str, Any]:
    """The filters that the request has."""
    return {name: value for name, value in filters.items() if value is not None}
