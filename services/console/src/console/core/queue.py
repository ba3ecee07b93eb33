"""Queue: the pacer's report on a package. It says how many deliveries wait, and how each profile is paced."""

from pydantic import AwareDatetime, Field

from console.core.api_models import ApiModel


class ApiLimitUsage(ApiModel):
    used: int
    limit: int | None


class ApiGapFactors(ApiModel):
    """The factors of the gap to the profile's next release.

    While no delivery waits, the pacer draws no gap. Then only `limit_factor` and `warm_up` have a value.
    """

    base_seconds: float | None = None
    pressure: float | None = None
    tempo: float | None = None
    mean_seconds: float | None = None
    spread: float | None = None
    gap_min_seconds: float | None = None
    gap_max_seconds: float | None = None
    slack_seconds: float | None = None
    position: float | None = None
    sent_last_2_hours: int | None = None
    limit_factor: float = 1
    warm_up: float = 1


class ApiPace(ApiModel):
    """How one profile is paced."""

    profile_id: str
    stopped: str | None = None
    due: int = 0
    due_counted_to: int = 0
    last_release: AwareDatetime | None = None
    next_release: AwareDatetime | None = None
    bound: str = ""
    bounds: dict[str, AwareDatetime | None] = Field(default_factory=dict)
    why: str = ""
    """A sentence about the bound that binds."""
    factors: ApiGapFactors | None = None
    held: int = 0
    limits: dict[str, ApiLimitUsage] = Field(default_factory=dict)


class ApiSendSlots(ApiModel):
    """`now`: how many deliveries count as being at the gateway. `max`: how many may be there at the same time.
    `without_outcome`: how many of the deliveries there have had no outcome for five minutes."""

    now: int
    max: int
    without_outcome: int = 0


class ApiOutcomeRequest(ApiModel):
    """The result after an operator has asked the sender for missing outcomes."""

    overdue: int = 0
    freed: int = 0
    reported: int = 0
    in_progress: int = 0
    unavailable: str | None = None


class ApiQueue(ApiModel):
    package_id: str
    at: AwareDatetime
    held: int
    rush_over: int
    profiles_in_rush: int
    at_gateway: ApiSendSlots
    package_day: ApiLimitUsage | None = None
    profiles: tuple[ApiPace, ...]


def missing_outcomes(queue: ApiQueue | None) -> str | None:
    """A sentence about deliveries whose outcome is missing. None if no outcome is missing."""
    if queue is None or not queue.at_gateway.without_outcome:
        return None
    slots = queue.at_gateway
    stops = " No other campaign message is sent until one of them has an outcome." if slots.now >= slots.max else ""
    deliveries = "1 delivery has" if slots.without_outcome == 1 else f"{slots.without_outcome} deliveries have"
    return (
        f"{deliveries} had no outcome for 5 minutes, and are still counted as being at the gateway.{stops} "
        "The sender is asked for the outcomes after an hour, or now, if you wish."
    )


def outcome_request_words(request: ApiOutcomeRequest) -> str:
    """What the request for missing outcomes achieved, in words for the operator."""
    if request.unavailable is not None:
        return f"The sender was not asked: {request.unavailable}"
    if not request.overdue:
        return "No outcome is missing any more."
    settled = request.freed + request.reported
    return f"Settled: {settled} of {request.overdue}. Still at the sender: {request.in_progress}."
