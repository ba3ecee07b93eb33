"""Shapes: what the ingress and the stats answer, as values. What an answer has beyond them is ignored."""

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from spreader.contract.configuration import PackageLimits, ProfileLimits
from spreader.contract.events import ProfileState


class Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Package(Shape):
    package_id: str
    name: str
    timezone: str = "UTC"
    distribution: str = "round_robin"
    paused: bool = False
    version: int = 1
    limits: PackageLimits = PackageLimits()
    profile_limits: ProfileLimits = ProfileLimits()
    profile_ids: tuple[str, ...] = ()


class Packages(Shape):
    data: tuple[Package, ...]


class Gateway(Shape):
    driver: str
    base_url: str | None = None
    account: str | None = None
    credentials: Any = None


class Profile(Shape):
    profile_id: str
    package_id: str
    name: str
    phone: str
    weight: int | None = None
    paused: bool = False
    limits: dict[str, int | None] = Field(default_factory=dict)
    effective_limits: ProfileLimits = ProfileLimits()
    warm_up_from: AwareDatetime | None = None
    gateway: Gateway


class Profiles(Shape):
    data: tuple[Profile, ...]


class States(Shape):
    data: tuple[ProfileState, ...]

    def of(self, profile_id: str) -> ProfileState | None:
        return next((state for state in self.data if state.profile_id == profile_id), None)


class Message(Shape):
    message_id: str
    package_id: str
    lane: Literal["open", "reply"]
    type: str
    status: str
    recipients: int
    counts: dict[str, int]
    accepted_at: AwareDatetime
    cancel_requested_at: AwareDatetime | None = None


class Messages(Shape):
    data: tuple[Message, ...]
    next_cursor: str | None = None


class Delivery(Shape):
    delivery_id: str
    message_id: str
    lane: str
    recipient: str
    profile_id: str | None = None
    status: str
    attempt: int = 1
    reason: str | None = None
    failure: str | None = None
    sent_at: AwareDatetime | None = None
    updated_at: AwareDatetime | None = None


class Deliveries(Shape):
    data: tuple[Delivery, ...]
    next_cursor: str | None = None


class ProfileOutlook(Shape):
    completion: AwareDatetime | None = None
    deliveries: int = 0
    binds: str | None = None


class Hour(Shape):
    """What would be sent in the hour that begins at `begin`."""

    begin: AwareDatetime
    deliveries: int
    profiles: dict[str, int] = Field(default_factory=dict)


class Outlook(Shape):
    """When what waits would be done."""

    completion: AwareDatetime | None = None
    binds: str | None = None
    counted_until: AwareDatetime | None = None
    profiles: dict[str, ProfileOutlook] = Field(default_factory=dict)
    curve: tuple[Hour, ...] = ()


class WhatIf(Shape):
    now: Outlook
    then: Outlook
    warnings: tuple[dict[str, str], ...] = ()


class Preview(Outlook):
    recipients: int
    duplicates_removed: int = 0
    suppressed: int = 0
    strategy: str
    distribution: dict[str, int]
    passed_over: dict[str, str] = Field(default_factory=dict)
    estimated_completion: AwareDatetime | None = None


class Alert(Shape):
    alert_id: str
    profile_id: str
    package_id: str
    kind: str
    severity: str = "warning"
    state: str
    evidence: str
    raised_at: AwareDatetime | None = None
    acknowledged_at: AwareDatetime | None = None
    acknowledged_by: str | None = None
    cleared_at: AwareDatetime | None = None


class Alerts(Shape):
    data: tuple[Alert, ...]
    next_cursor: str | None = None


class Moment(Shape):
    """What happened in a minute, an hour or a day."""

    at: AwareDatetime
    sent: int = 0
    sent_open: int = 0
    delivered: int = 0
    read: int = 0
    failed: int = 0
    received: int = 0


class History(Shape):
    by: Literal["minute", "hour", "day"]
    begin: AwareDatetime = Field(alias="from")
    end: AwareDatetime = Field(alias="to")
    data: tuple[Moment, ...]


class Rates(Shape):
    delivered: float | None = None
    read: float | None = None
    failed: float | None = None
    answered: float | None = None


class ProfileReport(Shape):
    profile_id: str
    package_id: str
    sent: int = 0
    delivered: int = 0
    read: int = 0
    failed: int = 0
    received: int = 0
    rates: Rates = Rates()


class ProfileReports(Shape):
    data: tuple[ProfileReport, ...]


class Difference(Shape):
    pointer: str
    before: Any = Field(default=None, alias="from")
    after: Any = Field(default=None, alias="to")


class Change(Shape):
    number: int
    at: AwareDatetime
    who: str | None = None
    undoes: int | None = None
    undone_by: int | None = None
    undoable: bool = False
    why_not_undoable: str | None = None
    differences: tuple[Difference, ...]


class Changes(Shape):
    data: tuple[Change, ...]
    next_cursor: str | None = None


class Listed(Shape):
    """A number on a list of consent."""

    recipient: str
    since: AwareDatetime
    source: str
    evidence: str | None = None


class ListedPage(Shape):
    data: tuple[Listed, ...]
    next_cursor: str | None = None


class Word(Shape):
    """A turn of a conversation: who spoke through which profile."""

    profile_id: str
    at: AwareDatetime
    cause: str


class Conversation(Shape):
    conversation_id: str | None = None
    recipient: str
    profile_id: str | None = None
    customer_at: AwareDatetime | None = None
    sent_at: AwareDatetime | None = None
    warm: bool = False
    over: bool = False
    history: tuple[Word, ...] = ()
