"""Behaviour: how an account imitates WhatsApp's limits, blocks and faults. By default it accepts everything."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt

from simulator.core.failures import FailureChannel
from spreader.contract.ids import PhoneNumber

Share = Annotated[float, Field(ge=0, le=1)]


class BehaviourModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class QuotaRule(BehaviourModel):
    """How many contacts without a reply an account may open in a cycle."""

    total: PositiveInt = 300
    days: PositiveInt = 30
    grown_days: PositiveInt = 30
    """A younger account has a share of the total, in proportion to its age."""


class BanRule(BehaviourModel):
    """What makes WhatsApp ban the account for `hours`; None: that reason is off."""

    cold: PositiveInt | None = None
    """Ban 101: this many sends to cold contacts in 24 hours."""
    blocks: PositiveInt | None = None
    """Ban 102: this many blocks in 7 days."""
    same_text: PositiveInt | None = None
    """Ban 104: this many sends of one content to cold contacts in 24 hours."""
    hours: PositiveFloat = 24.0


class QualityRule(BehaviourModel):
    """Cloud API: how many blocks in 7 days make a number yellow or red, and how long red forbids new chats."""

    yellow: PositiveInt = 2
    red: PositiveInt = 4
    restricted_hours: PositiveFloat = 24.0


class Behaviour(BehaviourModel):
    lid: bool = False
    """Linked devices: answers and webhooks name customers by their hidden id."""
    age_days: NonNegativeFloat = 365.0
    """The age of the account when the simulator first sees it."""
    known: tuple[PhoneNumber, ...] = ()
    """Customers who have the account in their address book: never cold."""
    unknown_share: Share = 0.0
    """The share of numbers that are not on WhatsApp."""
    without_nine: tuple[PhoneNumber, ...] = ()
    """Brazilian customers whom WhatsApp knows without the 9 before their eight digits, written in that form."""

    opens_chats: bool = True
    """Linked devices. If false, sends to cold contacts fail with 463."""
    quota: QuotaRule | None = None
    """Linked devices."""
    bans: BanRule | None = None
    """Linked devices."""
    block_chance: Share = 0.0
    """The base probability that a message makes its customer block the account; see `customer_blocks`."""

    window: bool = False
    """Cloud API: 131047 for free text more than 24 hours after the customer wrote."""
    pair_limit: bool = False
    """Cloud API: 131056 for more than one message in 6 seconds to one customer, or 45 at once."""
    throughput_per_second: PositiveInt | None = None
    """Cloud API: 130429 above it."""
    daily_users: PositiveInt | None = None
    """Cloud API: 131048 above this many customers a day outside their windows, over all accounts of a `waba_id`."""
    marketing_cap_share: Share = 0.0
    """Cloud API: the share of templates outside a window that fail with 131049."""
    quality: QualityRule | None = None
    """Cloud API."""
    limits_told: FailureChannel = "answer"
    """Cloud API: whether 131047, 131048 and 131056 come in the answer or in a receipt; Meta does both."""

    stuck_share: Share = 0.0
    """The share of sends that are accepted and never get a receipt."""
    missing_share: Share = 0.0
    """The share of sends whose receipts are lost."""
    doubled_share: Share = 0.0
    """The share of sends whose receipts come twice, and of customers' messages that come twice."""
    late_share: Share = 0.0
    late_seconds: NonNegativeFloat = 3_600.0
    """In system time."""
    disordered_share: Share = 0.0
    lost_answer_share: Share = 0.0
    """The share of sends that go out but are answered with a 500."""
    slow_share: Share = 0.0
    slow_seconds: Annotated[float, Field(ge=0, le=600)] = 30.0
    """In wall time."""

    @property
    def remembers(self) -> bool:
        """Whether the rules need the history of contacts; if not, it is not recorded."""
        return bool(self.quota or self.bans or self.quality or self.block_chance)
