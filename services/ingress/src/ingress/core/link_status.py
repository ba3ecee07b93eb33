"""Linking status: what an operator sees of the linking of an account."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from spreader.contract.link_answers import LinkMethod, LinkProgressResponse

LinkState = Literal["waiting", "linked", "expired", "failed"]

VALID_FOR = timedelta(minutes=3)
"""The time in which an operator must link the account. WhatsApp accepts a code for about three minutes. The gateways
renew a QR image every 20 to 45 seconds, and stop after some minutes."""


@dataclass(frozen=True, slots=True)
class LinkAttempt:
    """`code`: the code that the gateway gave for this attempt."""

    method: LinkMethod
    expires_at: datetime
    code: str | None = field(default=None, repr=False)

    def is_open(self, now: datetime) -> bool:
        return now < self.expires_at


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """`expires_at`: until when the QR image or the code may be used. Only the state `waiting` has such a time."""

    state: LinkState
    detail: str
    expires_at: datetime | None = None
    qr_png: str | None = field(default=None, repr=False)
    code: str | None = field(default=None, repr=False)


def link_status(attempt: LinkAttempt | None, progress: LinkProgressResponse, now: datetime) -> LinkStatus:
    """The status of the last attempt to link a profile. `progress` is what the gateway has reported."""
    if progress.session == "working":
        return LinkStatus("linked", progress.detail)
    if attempt is None:
        return LinkStatus("expired", f"no linking of this profile is under way ({progress.detail})")
    if progress.refused:
        return LinkStatus("failed", progress.detail)
    if not attempt.is_open(now):
        return LinkStatus("expired", f"the time to link this profile is over ({progress.detail})")
    return LinkStatus(
        "waiting",
        progress.detail,
        attempt.expires_at,
        qr_png=progress.qr_png if attempt.method == "qr" else None,
        code=progress.code or attempt.code if attempt.method == "code" else None,
    )
