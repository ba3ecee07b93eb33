"""Sign: a hard sign that a profile may not go on in a lane: the gateway refused because of the account itself."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from spreader.events import DeliveryOutcome, Lane, LaneState

BLOCKED_FOR: Mapping[Lane, timedelta] = {"open": timedelta(hours=6), "reply": timedelta(minutes=10)}
"""How long a lane stays closed after a sign. Replies are tried again soon: a customer waits, and old chats go on."""


@dataclass(frozen=True, slots=True)
class Sign:
    profile_id: str
    lane: Lane
    at: datetime
    evidence: str


def signs(outcomes: Iterable[DeliveryOutcome]) -> list[Sign]:
    """The newest sign of each profile's lane, in a fixed order."""
    newest: dict[tuple[str, Lane], Sign] = {}
    for outcome in outcomes:
        if outcome.failure == "profile" and outcome.profile_id is not None:
            place = (outcome.profile_id, outcome.lane)
            known = newest.get(place)
            if known is None or known.at < outcome.at:
                newest[place] = Sign(*place, outcome.at, outcome.reason or "the gateway refused because of the account")
    return [newest[place] for place in sorted(newest)]


def lane_state(sign: Sign | None, now: datetime) -> LaneState:
    if sign is None:
        return LaneState()
    until = sign.at + BLOCKED_FOR[sign.lane]
    return LaneState(state="blocked", until=until, cause=sign.evidence) if now < until else LaneState()
