"""Queue: what waits in a package and how each of its profiles is paced, as the pacer answers it."""

from pydantic import AwareDatetime, Field

from console.core.api_models import Shape


class Usage(Shape):
    used: int
    limit: int | None


class Factors(Shape):
    """What a gap is made of, each with its present value; None while nothing waits, and no gap is drawn."""

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


class Pace(Shape):
    """A profile as the pacer sees it."""

    profile_id: str
    stopped: str | None = None
    due: int = 0
    due_counted_to: int = 0
    last_release: AwareDatetime | None = None
    next_release: AwareDatetime | None = None
    bound: str = ""
    bounds: dict[str, AwareDatetime | None] = Field(default_factory=dict)
    why: str = ""
    """The bound in a sentence."""
    factors: Factors | None = None
    held: int = 0
    limits: dict[str, Usage] = Field(default_factory=dict)


class AtGateway(Shape):
    now: int
    max: int


class Queue(Shape):
    package_id: str
    at: AwareDatetime
    held: int
    rush_over: int
    profiles_in_rush: int
    at_gateway: AtGateway
    package_day: Usage | None = None
    profiles: tuple[Pace, ...]
