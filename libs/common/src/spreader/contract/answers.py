"""Answers: what a service answers when another service asks it over HTTP. The ingress shows these answers to callers of
the API."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NotRequired

from pydantic import BaseModel, ConfigDict
from typing_extensions import TypedDict

from spreader.contract.configuration import Distribution
from spreader.contract.events import Quality, SessionState, may_lack_recipient_key
from spreader.contract.ids import PhoneNumber


class RoutingResponse(BaseModel):
    """The decision on the record that contains a delivery."""

    strategy: Distribution
    profile_id: str | None
    shared_with: dict[str, int]
    passed_over: dict[str, str]
    reasons: dict[str, str]
    refused: str | None
    waiting: str | None
    """Why no profile could send at the time of the decision. None: a profile could send, or the record was refused."""


class MoveResponse(BaseModel):
    """The profile that a customer talked to from `at` on, and why."""

    profile_id: str
    at: datetime
    cause: str


class ConversationResponse(BaseModel):
    model_config = ConfigDict(json_schema_extra=may_lack_recipient_key)

    conversation_id: str
    package_id: str
    recipient: str
    recipient_key: str | None = None
    """The key of the recipient, if it differs from `recipient`."""
    profile_id: str
    customer_at: datetime | None
    sent_at: datetime | None
    warm: bool
    """Whether the customer wrote to the profile within 28 days."""
    over: bool
    """Whether the last message is so old that the conversation no longer binds the customer to a profile."""
    history: list[MoveResponse]


class KnownConversation(BaseModel):
    """A conversation of a recipient, without its history."""

    conversation_id: str
    package_id: str
    profile_id: str
    customer_at: datetime | None
    sent_at: datetime | None


class KnownConversations(BaseModel):
    """What the router knows about a recipient."""

    conversations: list[KnownConversation]


class KnownReading(BaseModel):
    """When a recipient reads. `hours`: how often in each local hour. `best_hour`: the best hour for a message."""

    package_id: str
    timezone: str
    best_hour: int
    hours: dict[str, int]


class KnownReadings(BaseModel):
    """What the pacer knows about a recipient."""

    reading: list[KnownReading]


class ProfileCheckResponse(BaseModel):
    ok: bool
    session: SessionState | None
    quality: Quality | None
    detail: str
    code: str | None
    took_seconds: float


class NumberCheckItem(BaseModel):
    number: PhoneNumber
    exists: bool | None
    checked_at: datetime | None
    detail: str


class NumberCheckResponse(BaseModel):
    numbers: list[NumberCheckItem]


class ForecastHour(BaseModel):
    begin: datetime
    deliveries: int
    profiles: Mapping[str, int]


class ProfileForecastView(BaseModel):
    completion: datetime | None
    deliveries: int
    binds: str


class PackageForecastView(BaseModel):
    completion: datetime | None
    """None: a profile with deliveries is stopped or too slow to finish, or there are no deliveries."""
    binds: str
    """The bound whose lifting would bring the completion forward most. If no single bound would, it is the bound that
    holds most of the deliveries. Empty: no bound holds them."""
    counted_until: datetime | None
    simulated: int
    profiles: Mapping[str, ProfileForecastView]
    curve: list[ForecastHour]


class WhatIfForecast(BaseModel):
    now: PackageForecastView
    then: PackageForecastView


@dataclass(frozen=True, slots=True)
class RequestSummary:
    """How many releases were overdue, and what became of them. `freed`: no delivery waits for the release any more.
    `reported`: the sender publishes the outcome again. `in_progress`: the sender still works on the delivery.
    `unavailable`: why the sender could not be asked."""

    overdue: int = 0
    freed: int = 0
    reported: int = 0
    in_progress: int = 0
    unavailable: str | None = None

    def plus(self, other: "RequestSummary") -> "RequestSummary":
        return RequestSummary(
            self.overdue + other.overdue,
            self.freed + other.freed,
            self.reported + other.reported,
            self.in_progress + other.in_progress,
            self.unavailable or other.unavailable,
        )


class NextRelease(TypedDict):
    """When a delivery will be released, and what it waits for. In the answer for a queue, this is the delivery that
    goes first. `next_release` is null while the time is unknown."""

    next_release: datetime | None
    bound: str
    bounds: dict[str, datetime | None]
    why: str


class PaceFactors(TypedDict):
    """The numbers from which the gap after a release follows. A profile whose queue is empty has only the last two."""

    base_seconds: NotRequired[float]
    pressure: NotRequired[float]
    tempo: NotRequired[float]
    mean_seconds: NotRequired[float]
    spread: NotRequired[float]
    gap_min_seconds: NotRequired[float]
    gap_max_seconds: NotRequired[float]
    slack_seconds: NotRequired[float]
    position: NotRequired[float]
    sent_last_2_hours: NotRequired[int]
    limit_factor: float
    warm_up: float


class LimitUse(TypedDict):
    """How much of a limit is used. `limit` is null if there is no such limit."""

    used: int
    limit: int | None


class AtGateway(TypedDict):
    """How many deliveries are at the gateway now, and how many may be. `without_outcome`: of these, how many have had
    no outcome for five minutes."""

    now: int
    max: int
    without_outcome: int


class ProfileRelease(NextRelease):
    """`stopped`: why the profile sends nothing; null if it sends. `due`: how many deliveries may be sent now, counted
    up to `due_counted_to`."""

    profile_id: str
    stopped: str | None
    due: int
    due_counted_to: NotRequired[int]
    last_release: datetime | None
    factors: NotRequired[PaceFactors]


class ProfileQueue(ProfileRelease):
    held: int
    limits: dict[str, LimitUse]


class PackageQueue(TypedDict):
    package_id: str
    at: datetime
    held: int
    waiting_for_profile: int
    rush_over: int
    profiles_in_rush: int
    at_gateway: AtGateway
    package_day: LimitUse | None
    profiles: list[ProfileQueue]


class PacedDelivery(TypedDict):
    """What the pacer knows of a delivery. `ahead`: how many deliveries go first, counted up to `ahead_counted_to`."""

    delivery_id: str
    state: str
    profile_id: str | None
    waiting_since: datetime | None
    attempt: int
    tried: list[str]
    waits_as: str
    asked_at: datetime
    not_before: datetime
    put_off_by: str | None
    timing: str | None
    cold_contact: bool
    ahead: int
    ahead_counted_to: int
    released_at: datetime | None
    reason: str | None


class HeldPacedDelivery(PacedDelivery, NextRelease):
    """A delivery that waits, and what it waits for."""
