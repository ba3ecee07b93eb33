"""Behaviour: in what an account is more like WhatsApp than one that takes everything; nothing unless asked for."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt

from simulator.core.failures import Told
from spreader.contract.ids import PhoneNumber

Share = Annotated[float, Field(ge=0, le=1)]


class Choice(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class QuotaRule(Choice):
    """How many contacts that do not answer an account may have opened in a cycle; the account is not told."""

    total: PositiveInt = 300
    days: PositiveInt = 30
    grown_days: PositiveInt = 30
    """An account that is younger has a part of it only, by its age."""


class BanRule(Choice):
    """What in 24 hours makes WhatsApp refuse the connection for some hours; None: never."""

    cold: PositiveInt | None = None
    """101: so many cold contacts."""
    blocks: PositiveInt | None = None
    """102: so many blocks, in 7 days."""
    same_text: PositiveInt | None = None
    """104: so many cold contacts with the same content."""
    hours: PositiveFloat = 24.0


class QualityRule(Choice):
    """Cloud API: how many blocks in 7 days make a number yellow or red, and for how long red closes new chats."""

    yellow: PositiveInt = 2
    red: PositiveInt = 4
    restricted_hours: PositiveFloat = 24.0


class Behaviour(Choice):
    lid: bool = False
    """Linked devices: customers are named by their hidden id in what comes back."""
    age_days: NonNegativeFloat = 365.0
    """Of the account when the simulator first heard of it."""
    known: tuple[PhoneNumber, ...] = ()
    """Customers who have the account in their address book: trusted for ever."""
    unknown_share: Share = 0.0
    """Of all numbers: not on WhatsApp."""
    without_nine: tuple[PhoneNumber, ...] = ()
    """Brazilian customers whom WhatsApp knows without the 9 before their eight digits; WAHA reaches them so only."""

    opens_chats: bool = True
    """Linked devices. Not: whoever is cold is refused with 463, whoever is not goes through."""
    quota: QuotaRule | None = None
    """Linked devices."""
    bans: BanRule | None = None
    """Linked devices."""
    block_chance: Share = 0.0
    """That a customer who gets a message blocks the account: more or less likely by what `core/blocking.py` says."""

    window: bool = False
    """Cloud API: 131047 for free text later than 24 hours after the customer wrote."""
    pair_limit: bool = False
    """Cloud API: 131056 for more than one message in 6 seconds to one customer, or 45 at once."""
    throughput_per_second: PositiveInt | None = None
    """Cloud API: 130429 above it."""
    daily_users: PositiveInt | None = None
    """Cloud API: 131048 for more customers in 24 hours outside their windows, over all accounts of a `waba_id`."""
    marketing_cap_share: Share = 0.0
    """Cloud API: of templates outside the customer's window, 131049."""
    quality: QualityRule | None = None
    """Cloud API."""
    limits_told: Told = "answer"
    """Cloud API: how 131047, 131048 and 131056 are told; Meta does both."""

    stuck_share: Share = 0.0
    """Of sends: taken, and never heard of again; the session works on."""
    missing_share: Share = 0.0
    """Of sends: all their receipts are lost."""
    doubled_share: Share = 0.0
    """Of sends: each receipt comes twice; and of customers' messages."""
    late_share: Share = 0.0
    late_seconds: NonNegativeFloat = 3_600.0
    """Of the system's time."""
    disordered_share: Share = 0.0
    lost_answer_share: Share = 0.0
    """Of sends: they go out, and the answer is a 500."""
    slow_share: Share = 0.0
    slow_seconds: Annotated[float, Field(ge=0, le=600)] = 30.0
    """Real seconds."""

    @property
    def remembers(self) -> bool:
        """Whether anything hangs on whom the account wrote to; else there is no need to keep it."""
        return bool(self.quota or self.bans or self.quality or self.block_chance)
