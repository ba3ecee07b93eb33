"""Conversation: which account a customer talks to: where the customer wrote last, else where we last sent."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from router.core.candidates import candidates
from router.core.route import NoRoute, Route, RouteResult
from spreader.contract.configuration import Package
from spreader.contract.events import CustomerMessage, DeliveryOutcome, ProfileState
from spreader.contract.ids import ProfileId

WARM = timedelta(days=28)
OLDEST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Conversation:
    package_id: str
    recipient: str
    profile_id: str
    customer_at: datetime | None = None
    """When the customer last wrote to `profile_id`."""
    sent_at: datetime | None = None

    @property
    def place(self) -> tuple[str, str]:
        return self.package_id, self.recipient

    @property
    def began(self) -> datetime | None:
        """The last word in it; None: it is bound, and nobody has said anything yet."""
        return _latest(self.customer_at, self.sent_at)


def heard(event: CustomerMessage) -> Conversation:
    return Conversation(event.package_id, event.recipient, event.profile_id, customer_at=event.at)


def sent(event: DeliveryOutcome) -> Conversation | None:
    """What a sent delivery says about its conversation; None where the outcome says nothing."""
    if event.status != "sent" or event.profile_id is None:
        return None
    return Conversation(event.package_id, event.recipient, event.profile_id, sent_at=event.at)


def merge(older: Conversation, newer: Conversation, binds: timedelta = timedelta.max) -> Conversation:
    """Both facts together, in whichever order they arrive: a customer's word outweighs ours, a later one an earlier.

    `binds`: what lies so far back when the later of them is said was over by then, and outweighs nothing.
    """
    if older.began is not None and newer.began is not None and abs(newer.began - older.began) > binds:
        return max(older, newer, key=lambda each: each.began or OLDEST)
    leading = max(older, newer, key=_strength)
    return replace(
        leading,
        customer_at=_latest(older.customer_at, newer.customer_at),
        sent_at=_latest(older.sent_at, newer.sent_at),
    )


def fold(facts: Iterable[Conversation]) -> list[Conversation]:
    """One conversation for each place, sorted by it (writers that lock rows in one order do not deadlock)."""
    folded: dict[tuple[str, str], Conversation] = {}
    for fact in facts:
        known = folded.get(fact.place)
        folded[fact.place] = fact if known is None else merge(known, fact)
    return [folded[place] for place in sorted(folded)]


def _strength(conversation: Conversation) -> tuple[bool, float, float]:
    wrote, sent_at = conversation.customer_at, conversation.sent_at
    return wrote is not None, wrote.timestamp() if wrote else 0.0, sent_at.timestamp() if sent_at else 0.0


def _latest(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((moment for moment in (one, other) if moment is not None), default=None)


def reply_route(
    package: Package,
    states: Mapping[str, ProfileState],
    conversation: Conversation | None,
    now: datetime,
    goes_on: bool = False,
) -> RouteResult:
    """The profile that this customer talks to; another one only where that one cannot send and the package lets it.

    `goes_on`: the caller has named the conversation: it binds, however long nobody has said anything.
    """
    found = candidates(package, states, "reply")
    binds = conversation is not None and (goes_on or not is_over(conversation, package.conversation_days, now))
    talks_to = conversation if binds else None
    if talks_to is not None and talks_to.profile_id in found.eligible:
        why = "the customer wrote to this profile" if talks_to.customer_at else "we wrote from this profile"
        return Route(ProfileId(talks_to.profile_id), f"{why} last")
    if not found.eligible:
        return NoRoute(f"no profile of package {package.package_id} can send a reply ({found.reasons})")
    if talks_to is None:
        return Route(found.calmest(states), "the customer is new to this package: its calmest profile")
    objection = found.passed_over.get(talks_to.profile_id, "no longer in the package")
    cannot = f"the customer talks to {talks_to.profile_id}, which cannot send ({objection})"
    if not package.reply_failover:
        return NoRoute(f"{cannot}, and the package lets no other profile answer")
    return Route(found.calmest(states), cannot)


def is_over(conversation: Conversation, days: int, now: datetime) -> bool:
    """Whether nobody has said anything for so long that it does not bind any more."""
    last = _latest(conversation.customer_at, conversation.sent_at)
    return last is not None and now - last > timedelta(days=days)


def is_warm(conversation: Conversation, now: datetime) -> bool:
    """Whether the customer wrote to the profile lately (see docs/glossary.md, cold contact)."""
    return conversation.customer_at is not None and now - conversation.customer_at <= WARM
