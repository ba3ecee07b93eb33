"""Queue: the pacer's report on a package. It says how many deliveries wait, and how each profile is paced."""

from pydantic import AwareDatetime, Field

from console.core.api_models import ApiModel


class ApiLimitUsage(ApiModel):
    used: int
    limit: int | None


class ApiGapFactors(ApiModel):
    """The factors of the gap to the profile's next release.

    While no delivery waits, the pacer draws no gap, so all fields without another default are None.
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
    now: int
    max: int


class ApiQueue(ApiModel):
    package_id: str
    at: AwareDatetime
    held: int
    rush_over: int
    profiles_in_rush: int
    at_gateway: ApiSendSlots
    package_day: ApiLimitUsage | None = None
    profiles: tuple[ApiPace, ...]
