"""Conversation: the profile that a customer talks to.

It is the profile that the customer last wrote to. If the customer has written to none, it is the profile that last sent
to the customer.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from router.core.candidates import find_candidates
from router.core.route import NoRoute, Route, RouteResult
from spreader.contract.configuration import Package
from spreader.contract.events import CustomerMessage, DeliveryOutcome, ProfileState
from spreader.contract.ids import ProfileId
from spreader.phone.canonical import PersonKey

WARM = timedelta(days=28)
OLDEST = datetime.min.replace(tzinfo=UTC)
ConversationKey = tuple[str, PersonKey]
"""A package and the key of a recipient."""


@dataclass(frozen=True, slots=True)
class Conversation:
    package_id: str
    recipient: PersonKey
    profile_id: str
    customer_at: datetime | None = None
    """When the customer last wrote to `profile_id`. None: the customer never has."""
    sent_at: datetime | None = None
    """When a profile of the package last sent to the customer. None: no profile has."""

    @property
    def key(self) -> ConversationKey:
        return self.package_id, self.recipient

    @property
    def last_at(self) -> datetime | None:
        """The time of the last message of either side. None: the conversation is bound, but has no message yet."""
        return _latest(self.customer_at, self.sent_at)


def from_customer_message(event: CustomerMessage) -> Conversation:
    return Conversation(event.package_id, event.person, event.profile_id, customer_at=event.at)


def from_outcome(event: DeliveryOutcome) -> Conversation | None:
    """The conversation that a sent delivery shows; None for other outcomes."""
    if event.status != "sent" or event.profile_id is None:
        return None
    return Conversation(event.package_id, event.person, event.profile_id, sent_at=event.at)


def merge(older: Conversation, newer: Conversation, binds_for: timedelta = timedelta.max) -> Conversation:
    """Both conversations as one. The order of the arguments does not matter.

    The profile that the customer last wrote to takes precedence. If the customer wrote to neither profile, the one that
    sent last takes precedence. If the last message of one conversation is more than `binds_for` before that of the
    other, the later conversation replaces it.
    """
    if older.last_at is not None and newer.last_at is not None and abs(newer.last_at - older.last_at) > binds_for:
        return max(older, newer, key=lambda conversation: conversation.last_at or OLDEST)
    leading = max(older, newer, key=_precedence)
    return replace(
        leading,
        customer_at=_latest(older.customer_at, newer.customer_at),
        sent_at=_latest(older.sent_at, newer.sent_at),
    )


def fold(conversations: Iterable[Conversation]) -> list[Conversation]:
    """One conversation for each key, sorted by key, so that writers lock rows in the same order."""
    folded: dict[ConversationKey, Conversation] = {}
    for conversation in conversations:
        known = folded.get(conversation.key)
        folded[conversation.key] = conversation if known is None else merge(known, conversation)
    return [folded[key] for key in sorted(folded)]


def _precedence(conversation: Conversation) -> tuple[bool, float, float]:
    wrote_at, sent_at = conversation.customer_at, conversation.sent_at
    return wrote_at is not None, wrote_at.timestamp() if wrote_at else 0.0, sent_at.timestamp() if sent_at else 0.0


def _latest(*times: datetime | None) -> datetime | None:
    return max((at for at in times if at is not None), default=None)


def reply_route(
    package: Package,
    states: Mapping[str, ProfileState],
    conversation: Conversation | None,
    now: datetime,
    continues_conversation: bool = False,
) -> RouteResult:
    """The route of a reply. It leads to the profile of the conversation. It leads to another profile in only two cases:
    if no conversation binds, or if the conversation's profile cannot send and the package lets another profile answer.

    `continues_conversation`: the caller named the conversation, so it binds however old it is.
    """
    candidates = find_candidates(package, states, "reply")
    is_bound = conversation is not None and (
        continues_conversation or not is_over(conversation, package.conversation_days, now)
    )
    bound = conversation if is_bound else None
    if bound is not None and bound.profile_id in candidates.eligible:
        reason = "the customer wrote to this profile" if bound.customer_at else "we wrote from this profile"
        return Route(ProfileId(bound.profile_id), f"{reason} last")
    if not candidates.eligible:
        return NoRoute(f"no profile of package {package.package_id} can send a reply ({candidates.reasons})")
    if bound is None:
        return Route(candidates.calmest(states), "the customer is new to this package: its calmest profile")
    objection = candidates.passed_over.get(bound.profile_id, "no longer in the package")
    reason = f"the customer talks to {bound.profile_id}, which cannot send ({objection})"
    if not package.reply_failover:
        return NoRoute(f"{reason}, and the package lets no other profile answer")
    return Route(candidates.calmest(states), reason)


def is_over(conversation: Conversation, days: int, now: datetime) -> bool:
    """Whether the last message is more than `days` old, so that the conversation no longer binds."""
    return conversation.last_at is not None and now - conversation.last_at > timedelta(days=days)


def is_warm(conversation: Conversation, now: datetime) -> bool:
    """Whether the customer wrote to the profile within 28 days (see docs/glossary.md, cold contact)."""
    return conversation.customer_at is not None and now - conversation.customer_at <= WARM
