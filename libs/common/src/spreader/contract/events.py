"""Events: every fact that travels between services, with its topic, key and type. No other place spells a topic."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, NaiveDatetime

from spreader.contract.configuration import Distribution, Package, ProfileLimits, WaitingStrategy
from spreader.contract.content import Content
from spreader.contract.ids import Id, PhoneNumber, conversation_id, is_conversation_id

RECIPIENTS_PER_RECORD_MAX = 500

Lane = Literal["open", "reply"]
Status = Literal[
    "held", "released", "deferred",
    "sent", "acknowledged", "delivered", "read", "failed", "expired", "cancelled", "suppressed", "rejected", "unknown",
]  # fmt: skip
FailureClass = Literal[
    "transient", "throttled", "pair", "session", "restricted", "profile", "account", "credentials",
    "recipient", "capped", "opted_out", "window", "content", "template", "gateway", "ambiguous",
]  # fmt: skip
"""Why a delivery was not sent, by who can mend it. All but `ambiguous`: surely not sent.

| class | what it says | who feels it |
| --- | --- | --- |
| `transient` | the gateway stumbled; it passes | the attempt |
| `throttled` | too fast for the profile or its gateway | the attempt |
| `pair` | too many messages from this profile to this one recipient | the attempt |
| `session` | the profile's session is not ready at its gateway | the attempt |
| `restricted` | WhatsApp lets the profile open no chats; old ones go on | the profile's open lane |
| `profile` | the profile cannot send in this lane | the profile's lane |
| `account` | banned, locked or logged out | all lanes of every profile of the same holder |
| `credentials` | the gateway refuses our key or our permission | all lanes of every profile of the same holder |
| `recipient` | nobody can write to this number | the recipient |
| `capped` | this recipient gets no more marketing for now, from nobody | the recipient |
| `opted_out` | the recipient told WhatsApp to stop | the recipient |
| `window` | the 24 h in which free text is allowed are over | this content for this recipient |
| `content` | what we said cannot be sent | the message |
| `template` | the template is missing, paused or does not fit | the message |
| `gateway` | the gateway is away | all who share it |
"""
ConsentKind = Literal["suppression", "opt_in"]
SessionState = Literal["working", "starting", "stopped", "unlinked", "failed"]
"""`unlinked`: a person has to scan a code again."""
Quality = Literal["green", "yellow", "red", "unknown"]
"""The gateway's own rating of a number."""
Partition = Annotated[int, Field(ge=0)]
GatewayMessageId = Annotated[str, Field(min_length=1, max_length=256)]

EVERYWHERE: Literal["*"] = "*"
"""In place of a package's id: in all packages."""


class Event(BaseModel):
    """A fact. Immutable; unknown fields are ignored, so readers may be older than writers."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    topic: ClassVar[str]
    type: ClassVar[str]
    nulls_travel: ClassVar[bool] = False
    """Whether a field that is None is written: needed where None is not what a reader takes for a missing field."""

    traceparent: str | None = Field(default=None, exclude=True, repr=False)
    """W3C trace context: travels as a header, not in the body."""

    @property
    def key(self) -> str | None:
        """The unit of order: events with equal keys are read in the order in which they were written."""
        raise NotImplementedError

    @property
    def event_id(self) -> str:
        """The same fact has the same id, however often it is published: readers drop repeats by it."""
        raise NotImplementedError


class Callback(Event):
    """An answer to one ingress instance that waits for it, which reads one partition of this topic."""

    topic: ClassVar[str] = "spreader.callbacks"
    callback_partition: Partition

    @property
    def key(self) -> None:
        return None


class OpenOptions(BaseModel):
    """When the deliveries of an open message may go; see the waiting strategies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    waiting_strategy: WaitingStrategy = "queued"
    schedule_at: AwareDatetime | None = None
    schedule_local: NaiveDatetime | None = None
    """Like `schedule_at`, on the wall clock of each recipient (by the time zone of the phone number)."""
    drip_interval_minutes: Annotated[float, Field(gt=0, le=7 * 24 * 60)] | None = None
    drip_until: AwareDatetime | None = None
    """With `drip`: the last recipient's moment; the others lie evenly before it."""
    expires_at: AwareDatetime | None = None
    """What is still held then is not sent any more; without it a held delivery waits as long as the limits ask."""

    @property
    def contradiction(self) -> str | None:
        """Why they cannot all hold; None: they can. Whoever takes a message in refuses it for this."""
        if self.schedule_at is not None and self.schedule_local is not None:
            return "give `schedule_at` or `schedule_local`, not both"
        if self.drip_until is not None and self.waiting_strategy != "drip":
            return "`drip_until` goes with `waiting_strategy`: drip"
        if self.drip_until is not None and self.drip_interval_minutes is not None:
            return "give `drip_interval_minutes` or `drip_until`, not both"
        return None


class OpenMessageRequested(Event):
    """Somebody asked to open conversations: one content and up to 500 of the message's recipients."""

    topic: ClassVar[str] = "spreader.message-requested.open"
    type: ClassVar[str] = "spreader.message-requested.open.v1"

    package_id: Id
    message_id: Id
    content: Content
    recipients: tuple[PhoneNumber, ...] = Field(min_length=1, max_length=RECIPIENTS_PER_RECORD_MAX)
    first_index: Annotated[int, Field(ge=0)] = 0
    total: Annotated[int, Field(ge=1)] | None = None
    """Recipients of the whole message; None where this record is all of it."""
    distribution: Distribution | None = None
    options: OpenOptions = OpenOptions()
    requested_at: AwareDatetime
    package_version: int | None = None
    """The configuration that the request was checked against: a reader waits until it knows it too."""
    callback_partition: Partition | None = None

    @property
    def key(self) -> str:
        return self.package_id

    @property
    def event_id(self) -> str:
        return f"{self.message_id}/{self.first_index}"


class ReplyMessageRequested(Event):
    """A customer waits: one content for one recipient."""

    topic: ClassVar[str] = "spreader.message-requested.reply"
    type: ClassVar[str] = "spreader.message-requested.reply.v1"

    package_id: Id
    message_id: Id
    content: Content
    recipient: PhoneNumber
    conversation_id: str | None = Field(default=None, max_length=128)
    """Ours names the conversation of the package and the recipient; any other text is a caller's own name for it."""
    quote: GatewayMessageId | None = None
    """The message that it answers, by the gateway's id: shown above the reply."""
    requested_at: AwareDatetime
    package_version: int | None = None
    callback_partition: Partition | None = None

    @property
    def key(self) -> str:
        return f"{self.package_id}:{self.recipient}"

    @property
    def event_id(self) -> str:
        return self.message_id

    @property
    def continues_conversation(self) -> bool:
        """Whether it names the conversation that it goes on with, which binds then however old it is."""
        return self.conversation_id == conversation_id(self.package_id, self.recipient)

    @property
    def contradiction(self) -> str | None:
        """Why its fields cannot all hold; None: they can. Whoever takes a message in refuses it for this."""
        named = self.conversation_id
        if named is None or self.continues_conversation or not is_conversation_id(named):
            return None
        return "`conversation_id` names the conversation of another recipient or of another package"


class AssignedDelivery(BaseModel):
    """A delivery and the profile chosen for it. `index` is its place among the message's recipients."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    delivery_id: Id
    recipient: PhoneNumber
    profile_id: Id
    index: int
    attempt: int = 1
    tried: tuple[Id, ...] = ()


class OpenDeliveriesAssigned(Event):
    """The router chose a profile for each delivery of a record; one event for all of them (decision 0003)."""

    topic: ClassVar[str] = "spreader.delivery-assigned.open"
    type: ClassVar[str] = "spreader.delivery-assigned.open.v1"

    package_id: Id
    message_id: Id
    content: Content
    options: OpenOptions
    requested_at: AwareDatetime
    package_version: int | None = None
    """The configuration that the choice was made with: the pacer waits until it knows it too."""
    total: Annotated[int, Field(ge=1)] | None = None
    """Recipients of the whole message; None: the writer is older than this field."""
    strategy: Distribution
    assigned_at: AwareDatetime | None = None
    """A moment of this record's own, later than that of those before; None: the writer is older than this field."""
    passed_over: dict[str, str] = Field(default_factory=dict)
    """Profiles that were not candidates, each with the reason."""
    deliveries: tuple[AssignedDelivery, ...] = Field(min_length=1, max_length=RECIPIENTS_PER_RECORD_MAX)

    @property
    def key(self) -> str:
        return self.package_id

    @property
    def event_id(self) -> str:
        first = self.deliveries[0]
        return f"{self.message_id}/{first.index}/{first.attempt}"


class ReplyDeliveryAssigned(Event):
    """The router found the profile that a reply goes through."""

    topic: ClassVar[str] = "spreader.delivery-assigned.reply"
    type: ClassVar[str] = "spreader.delivery-assigned.reply.v1"

    package_id: Id
    message_id: Id
    delivery_id: Id
    recipient: PhoneNumber
    profile_id: Id
    content: Content
    reason: str
    """Why this profile, in words for the person who reads the answer."""
    attempt: int = 1
    tried: tuple[Id, ...] = ()
    requested_at: AwareDatetime
    expires_at: AwareDatetime
    quote: GatewayMessageId | None = None
    callback_partition: Partition | None = None

    @property
    def key(self) -> str:
        return f"{self.package_id}:{self.recipient}"

    @property
    def event_id(self) -> str:
        return f"{self.delivery_id}/{self.attempt}"


class DeliveryReleased(Event):
    """The pacer lets an open delivery go: due now, and not to be begun after `send_by`."""

    topic: ClassVar[str] = "spreader.delivery-released"
    type: ClassVar[str] = "spreader.delivery-released.v1"

    package_id: Id
    message_id: Id
    delivery_id: Id
    recipient: PhoneNumber
    profile_id: Id
    content: Content
    options: OpenOptions = OpenOptions()
    index: int = 0
    requested_at: AwareDatetime
    attempt: int
    tried: tuple[Id, ...] = ()
    release: int
    """The profile's releases are counted up: a repeated event has the same number."""
    released_at: AwareDatetime
    send_by: AwareDatetime

    @property
    def key(self) -> str:
        return self.profile_id

    @property
    def event_id(self) -> str:
        return f"{self.delivery_id}/{self.release}"


class DeliveryReturned(Event):
    """A delivery that was surely not sent and needs another profile."""

    topic: ClassVar[str] = "spreader.delivery-returned"
    type: ClassVar[str] = "spreader.delivery-returned.v1"

    package_id: Id
    message_id: Id
    delivery_id: Id
    recipient: PhoneNumber
    lane: Lane
    content: Content
    options: OpenOptions = OpenOptions()
    index: int = 0
    attempt: int
    tried: tuple[Id, ...]
    reason: str
    requested_at: AwareDatetime
    expires_at: AwareDatetime | None = None
    """Of a reply; an open message's is in its options."""
    quote: GatewayMessageId | None = None
    """Of a reply."""
    callback_partition: Partition | None = None

    @property
    def key(self) -> str:
        return self.package_id

    @property
    def event_id(self) -> str:
        return f"{self.delivery_id}/{self.attempt}"


class DeliveryOutcome(Event):
    """The fate of a delivery changed.

    `deferred`: surely not sent. With `not_before` the pacer holds it again on the same profile; without, it was also
    given back to the router (DeliveryReturned) and waits for another profile. `sent`: the gateway has taken it;
    `acknowledged`: WhatsApp's server has it (one tick).
    """

    topic: ClassVar[str] = "spreader.delivery-outcome"
    type: ClassVar[str] = "spreader.delivery-outcome.v1"

    package_id: Id
    message_id: Id
    delivery_id: Id
    recipient: PhoneNumber
    lane: Lane
    status: Status
    at: AwareDatetime
    profile_id: Id | None = None
    attempt: int = 1
    release: int | None = None
    reason: str | None = None
    failure: FailureClass | None = None
    gateway_message_id: str | None = None
    not_before: AwareDatetime | None = None
    """With `deferred`: when it may be tried again."""
    code: str | None = None
    """The gateway's own code of a failure, such as 131048 or 463."""
    until: AwareDatetime | None = None
    """How long a restriction lasts, where the gateway says so."""
    fingerprint: str | None = Field(default=None, pattern="^[0-9a-f]{16}$")
    """With `sent`: the fingerprint of the content (`spreader.text.fingerprint`): similar contents, similar bits."""

    @property
    def key(self) -> str:
        return self.package_id

    @property
    def event_id(self) -> str:
        return f"{self.delivery_id}/{self.attempt}/{self.release or 0}/{self.status}"


class Restriction(BaseModel):
    """What WhatsApp does not let a profile do; no lanes: what was restricted is free again."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    lanes: tuple[Lane, ...]
    failure: Literal["restricted", "account", "credentials"]
    until: AwareDatetime | None = None
    """None: the gateway did not say."""


class Quota(BaseModel):
    """WhatsApp's own counter of new chats, where a gateway passes it on."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    total: int
    used: int
    resets_at: AwareDatetime | None = None
    warning: Literal["none", "first", "second", "capped"] = "none"


class ProfileReported(Event):
    """A gateway said how a profile stands there, apart from any delivery; what is None was not said."""

    topic: ClassVar[str] = "spreader.profile-report"
    type: ClassVar[str] = "spreader.profile-report.v1"

    profile_id: Id
    package_id: Id
    report_id: str = Field(max_length=256)
    """The same report has the same id however often the gateway sends it."""
    session: SessionState | None = None
    quality: Quality | None = None
    restriction: Restriction | None = None
    quota: Quota | None = None
    code: str | None = None
    evidence: str
    """What the gateway said, in words for the operator who reads the alert."""
    at: AwareDatetime

    @property
    def key(self) -> str:
        return self.profile_id

    @property
    def event_id(self) -> str:
        return f"{self.profile_id}/{self.report_id}"


class CustomerMessage(Event):
    """A customer wrote to a profile."""

    topic: ClassVar[str] = "spreader.customer-message"
    type: ClassVar[str] = "spreader.customer-message.v1"

    package_id: Id
    profile_id: Id
    recipient: PhoneNumber
    """The customer's number: the recipient of what we send."""
    gateway_message_id: str
    kind: str = "text"
    text: str | None = None
    at: AwareDatetime

    @property
    def key(self) -> str:
        return f"{self.package_id}:{self.recipient}"

    @property
    def event_id(self) -> str:
        return f"{self.profile_id}/{self.gateway_message_id}"


class MessageCancelled(Event):
    """A caller takes a message back: what is still held stops."""

    topic: ClassVar[str] = "spreader.message-cancelled"
    type: ClassVar[str] = "spreader.message-cancelled.v1"

    package_id: Id
    message_id: Id
    at: AwareDatetime

    @property
    def key(self) -> str:
        return self.package_id

    @property
    def event_id(self) -> str:
        return self.message_id


class ConsentChanged(Event):
    """A recipient was put on a package's list of suppressions or of opt-ins, or taken off it.

    No tombstones: whoever is taken off stays in the log as that, so that a reader with its own table needs no others.
    """

    topic: ClassVar[str] = "spreader.consent"
    type: ClassVar[str] = "spreader.consent.v1"

    package_id: Id | Literal["*"]
    recipient: PhoneNumber
    kind: ConsentKind
    listed: bool
    source: str
    """How we learned it: `api`, `csv`, `opt_out_word` (the customer wrote it), or `gateway` (told WhatsApp itself)."""
    at: AwareDatetime

    @property
    def key(self) -> str:
        return f"{self.package_id}:{self.recipient}:{self.kind}"

    @property
    def event_id(self) -> str:
        return f"{self.key}/{self.at.isoformat()}"


class PackageConfigured(Event):
    """The present configuration of a package; a tombstone (no body) says that it is gone."""

    topic: ClassVar[str] = "spreader.package-config"
    type: ClassVar[str] = "spreader.package-config.v1"
    nulls_travel: ClassVar[bool] = True  # no rest window is not the default one

    package: Package
    at: AwareDatetime

    @property
    def key(self) -> str:
        return self.package.package_id

    @property
    def event_id(self) -> str:
        return f"{self.package.package_id}/{self.package.version}"


class LaneState(BaseModel):
    """Whether a profile may use a lane, until when not, and the evidence."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    state: Literal["ok", "limited", "blocked"] = "ok"
    until: AwareDatetime | None = None
    """None in a closed lane: until somebody or something says that it works again."""
    cause: str | None = None
    kind: str | None = None
    """What closed it: a failure class, or a sign of stats' own such as `stuck`."""
    since: AwareDatetime | None = None


class Counts(BaseModel):
    """What happened on a profile within a span. `sent_open` is the part that the limits count."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sent: int = 0
    sent_open: int = 0
    acknowledged: int = 0
    """That WhatsApp's server has; all that was delivered is among them."""
    delivered: int = 0
    read: int = 0
    failed: int = 0
    received: int = 0
    answered: int = 0
    """Customers who wrote after an open message to them."""
    new_contacts: int = 0
    """Open messages to people to whom the profile had not spoken for 30 days, nor they to it for 28."""
    unanswered: int = 0
    """Of these new contacts: who has not written since."""
    failures: dict[str, int] = Field(default_factory=dict)
    """By failure class: deliveries that failed, and each try that was refused on the way."""


class Windows(BaseModel):
    """The last hour, 2 and 3 hours, 24 hours and 7 days of a profile, rolling."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    hour: Counts = Counts()
    two_hours: Counts = Counts()
    three_hours: Counts = Counts()
    day: Counts = Counts()
    week: Counts = Counts()


class HealthReason(BaseModel):
    """One part of a profile's health: its weight, the share of it that the profile earns, and what that rests on."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    weight: int
    share: Annotated[float, Field(ge=0, le=1)]
    evidence: str


class Health(BaseModel):
    """How well a profile is, 0 to 100, with its reasons.

    `warning` under 60; `paused` (its open lane is) from under 40 until it has been back at 55 and 6 hours have passed.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    score: Annotated[int, Field(ge=0, le=100)]
    band: Literal["good", "warning", "paused"]
    capped_by: str | None = None
    """What keeps the score lower than its reasons would."""
    reasons: tuple[HealthReason, ...] = ()


class RiskyPattern(BaseModel):
    """A habit of a profile that gets accounts blocked, and what shows it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: str
    evidence: str


class ProfileState(Event):
    """How a profile fares, as stats sees it."""

    topic: ClassVar[str] = "spreader.profile-state"
    type: ClassVar[str] = "spreader.profile-state.v1"

    profile_id: Id
    package_id: Id
    open: LaneState = LaneState()
    reply: LaneState = LaneState()
    limit_factor: Annotated[float, Field(ge=0.1, le=1)] = 1.0
    limit_cause: str | None = None
    """Why the factor is not 1."""
    health: Health | None = None
    """None: not known yet."""
    risks: tuple[RiskyPattern, ...] = ()
    session: SessionState | None = None
    quality: Quality | None = None
    quota: Quota | None = None
    """As the gateway said last; None: it did not."""
    windows: Windows = Windows()
    at: AwareDatetime

    @property
    def key(self) -> str:
        return self.profile_id

    @property
    def event_id(self) -> str:
        return f"{self.profile_id}/{self.at.isoformat()}"


class ProfilePace(Event):
    """What the pacer does with a profile now: every factor in force, and the bound that holds the next release."""

    topic: ClassVar[str] = "spreader.profile-pace"
    type: ClassVar[str] = "spreader.profile-pace.v1"
    nulls_travel: ClassVar[bool] = True

    profile_id: Id
    package_id: Id
    waiting: int
    """Held deliveries whose own not-before has passed; counted up to one more than the rush bound."""
    held: int = 0
    """All that waits for it, counted up to 100,000."""
    assigned_until: AwareDatetime | None = None
    """Whatever was assigned to it up to then (`assigned_at`) has been counted."""
    last_release: AwareDatetime | None
    next_release: AwareDatetime | None
    """None: nothing waits, or it waits for something without a known moment (see `bound`)."""
    bound: str
    bounds: dict[str, AwareDatetime | None] = Field(default_factory=dict)
    """Every bound that is still ahead, `bound` among them; None: its end is not known."""
    base_seconds: float
    pressure: float
    tempo: float
    mean_seconds: float
    gap_min_seconds: float = 0
    gap_max_seconds: float = 0
    """The range from which the next gap is drawn."""
    limit_factor: float = 1
    """The automatic factor, by how the profile fares (from stats)."""
    warm_up: float = 1
    """The share of its limits that a new account has by now."""
    limits: ProfileLimits = ProfileLimits()
    """In force: the operator's times both factors."""
    at: AwareDatetime

    @property
    def key(self) -> str:
        return self.profile_id

    @property
    def event_id(self) -> str:
        return f"{self.profile_id}/{self.at.isoformat()}"


class MessageRouted(Callback):
    """What the router made of one record of a message: how many deliveries each profile got."""

    type: ClassVar[str] = "spreader.message-routed.v1"

    message_id: Id
    first_index: int
    distribution: dict[str, int]
    rejected: int = 0
    suppressed: int = 0
    """Recipients to whom the package must not open a conversation."""
    reason: str | None = None

    @property
    def event_id(self) -> str:
        return f"{self.message_id}/{self.first_index}/routed"


class ReplySettled(Callback):
    """What became of a reply that a caller waits for. `reason`: sent, why through this profile; else why it was not."""

    type: ClassVar[str] = "spreader.reply-settled.v1"

    message_id: Id
    status: Status
    at: AwareDatetime
    profile_id: Id | None = None
    reason: str | None = None
    failure: FailureClass | None = None

    @property
    def event_id(self) -> str:
        return f"{self.message_id}/{self.status}"


class Alert(Event):
    """Something about a profile needs a person, or no longer does."""

    topic: ClassVar[str] = "spreader.alerts"
    type: ClassVar[str] = "spreader.alert.v1"

    alert_id: Id
    profile_id: Id
    package_id: Id
    kind: str
    severity: Literal["warning", "critical"] = "warning"
    state: Literal["raised", "acknowledged", "cleared"]
    evidence: str
    by: str | None = None
    """Who acknowledged it."""
    at: AwareDatetime

    @property
    def key(self) -> str:
        return self.profile_id

    @property
    def event_id(self) -> str:
        return f"{self.alert_id}/{self.state}"


EVENTS: tuple[type[Event], ...] = (
    OpenMessageRequested, ReplyMessageRequested, OpenDeliveriesAssigned, ReplyDeliveryAssigned, DeliveryReleased,
    DeliveryReturned, DeliveryOutcome, ProfileReported, CustomerMessage, MessageCancelled, ConsentChanged,
    PackageConfigured, ProfileState, ProfilePace, MessageRouted, ReplySettled, Alert,
)  # fmt: skip

DEAD_LETTER_TOPIC = "spreader.dead-letter"
COMPACTED: frozenset[str] = frozenset(
    {ConsentChanged.topic, PackageConfigured.topic, ProfileState.topic, ProfilePace.topic}
)
CALLBACK_PARTITIONS = 16
PARTITIONS: Mapping[str, int] = {
    **{event.topic: 6 for event in EVENTS},
    **dict.fromkeys(COMPACTED, 3),
    Callback.topic: CALLBACK_PARTITIONS,
    DEAD_LETTER_TOPIC: 3,
}
"""Every topic and its partitions: the most instances of a service that can share its work."""

TERMINAL: frozenset[Status] = frozenset({"failed", "expired", "cancelled", "suppressed", "rejected"})
"""The statuses that end a delivery (`sent`, `delivered`, `read` and `unknown` may still get better)."""
