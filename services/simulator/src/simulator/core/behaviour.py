"""Behaviour: how an account imitates WhatsApp's limits, blocks and faults. By default it accepts everything."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt

from simulator.core.failures import FailureChannel
from spreader.contract.ids import PhoneNumber

Share = Annotated[float, Field(ge=0, le=1)]


class BehaviourModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class QuotaRule(BehaviourModel):
    """The quota of new chats. In a cycle of `days`, an account may write first to `total` customers. A customer who
    replies does not count."""

    total: PositiveInt = 300
    days: PositiveInt = 30
    grown_days: PositiveInt = 30
    """At this age an account gets the whole total. A younger account gets a part in proportion to its age."""


class BanRule(BehaviourModel):
    """The reasons for which WhatsApp bans the account for `hours`. A reason that is None is off."""

    cold: PositiveInt | None = None
    """Ban 101 comes after this many sends to cold contacts in 24 hours."""
    blocks: PositiveInt | None = None
    """Ban 102 comes after this many blocks in 7 days."""
    same_text: PositiveInt | None = None
    """Ban 104 comes after this many sends of one content to cold contacts in 24 hours."""
    hours: PositiveFloat = 24.0


class QualityRule(BehaviourModel):
    """Cloud API: how many blocks in 7 days make a number yellow or red, and how long red forbids new chats."""

    yellow: PositiveInt = 2
    red: PositiveInt = 4
    restricted_hours: PositiveFloat = 24.0


class Behaviour(BehaviourModel):
    lid: bool = False
    """Linked devices: whether answers and webhooks name customers by hidden ids instead of phone numbers."""
    lid_alone: bool = False
    """With `lid`: whether a customer's message has only the hidden id, as with WAHA's engine WEBJS."""
    age_days: NonNegativeFloat = 365.0
    """The age of the account when the simulator first sees it."""
    known: tuple[PhoneNumber, ...] = ()
    """Customers who have the account in their address books. They are never cold contacts."""
    unknown_share: Share = 0.0
    """The share of numbers that are not on WhatsApp."""
    without_nine: tuple[PhoneNumber, ...] = ()
    """Brazilian numbers that WhatsApp knows without the 9 before their last eight digits. List them without the 9."""

    opens_chats: bool = True
    """Linked devices. If false, sends to cold contacts fail with 463."""
    quota: QuotaRule | None = None
    """Linked devices: the quota of new chats. None: there is no quota."""
    bans: BanRule | None = None
    """Linked devices: when WhatsApp bans the account. None: never."""
    block_chance: Share = 0.0
    """The base probability that a customer who gets a message blocks the account. See `customer_blocks`."""

    window: bool = False
    """Cloud API: whether free text fails with 131047 more than 24 hours after the customer last wrote."""
    pair_limit: bool = False
    """Cloud API: whether messages that come too fast to one customer fail with 131056.

    One message in 6 seconds is allowed, and up to 45 messages at once after a pause.
    """
    throughput_per_second: PositiveInt | None = None
    """Cloud API: how many sends a second are allowed. Further sends fail with 130429."""
    daily_users: PositiveInt | None = None
    """Cloud API: how many customers the accounts of one `waba_id` together may write to in 24 hours.

    Only messages outside a customer's window count (`core/contact`). Messages to further customers fail with 131048.
    """
    marketing_cap_share: Share = 0.0
    """Cloud API: the share of templates that fail with 131049 when they are sent outside a customer's window."""
    quality: QualityRule | None = None
    """Cloud API: how blocks lower the quality of a number. None: blocks do not change it."""
    limits_told: FailureChannel = "answer"
    """Cloud API: whether 131047, 131048 and 131056 come in the answer or in a receipt. Meta uses both."""

    stuck_share: Share = 0.0
    """The share of sends that are accepted and never get a receipt."""
    missing_share: Share = 0.0
    """The share of sends whose receipts are lost."""
    doubled_share: Share = 0.0
    """The share of sends whose receipts come twice. The same share of customers' messages comes twice."""
    late_share: Share = 0.0
    late_seconds: NonNegativeFloat = 3_600.0
    """The delay of late receipts, in system time."""
    disordered_share: Share = 0.0
    lost_answer_share: Share = 0.0
    """The share of sends that go out but are answered with a 500."""
    slow_share: Share = 0.0
    slow_seconds: Annotated[float, Field(ge=0, le=600)] = 30.0
    """The delay of slow sends, in wall time."""

    @property
    def remembers(self) -> bool:
        """Whether any rule needs the history of contacts. The history is recorded only then."""
        return bool(self.quota or self.bans or self.quality or self.block_chance)
