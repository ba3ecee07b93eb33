"""Events: the facts that services exchange, with their topics, keys and types."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, NaiveDatetime, PrivateAttr, computed_field

from spreader.contract.configuration import Distribution, Package, ProfileLimits, WaitingStrategy
from spreader.contract.content import Content
from spreader.contract.ids import NO_COUNTRY_CODE, Id, PhoneNumber, conversation_id, is_conversation_id
from spreader.contract.labels import MessageName, SentBy, Tags
from spreader.phone.canonical import PersonKey, person_key, spellings

RECIPIENTS_PER_RECORD_MAX = 500

Lane = Literal["open", "reply"]
Status = Literal[
    "held",
    "released",
    "deferred",
    "sent",
    "acknowledged",
    "delivered",
    "read",
    "failed",
    "expired",
    "cancelled",
    "suppressed",
    "rejected",
    "unknown",
]
FailureClass = Literal[
    "transient",
    "throttled",
    "pair",
    "session",
    "restricted",
    "profile",
    "account",
    "credentials",
    "recipient",
    "capped",
    "opted_out",
    "window",
    "content",
    "template",
    "gateway",
    "ambiguous",
]
"""Why a delivery was not sent. With the class `ambiguous`, it may have been sent. With all others, it certainly was
not.

| class | meaning | what it affects |
| --- | --- | --- |
| `transient` | a temporary error of the gateway | the attempt |
| `throttled` | too fast for the profile or its gateway | the attempt |
| `pair` | too many messages from this profile to this one recipient | the attempt |
| `session` | the profile's session is not ready at its gateway | the attempt |
| `restricted` | WhatsApp forbids the profile to open new chats; existing ones work | the profile's open lane |
| `profile` | the profile cannot send in this lane | the profile's lane |
| `account` | banned, locked or logged out | all lanes of every profile of the same holder |
| `credentials` | the gateway rejects our credentials or permissions | all lanes of every profile of the same holder |
| `recipient` | this number cannot receive messages | the recipient |
| `capped` | this recipient gets no more marketing for now, from any business | the recipient |
| `opted_out` | the recipient opted out at WhatsApp | the recipient |
| `window` | the recipient wrote over 24 h ago, so WhatsApp allows no free text | this content for this recipient |
| `content` | this content cannot be sent | the message |
| `template` | the template is missing, paused or does not fit | the message |
| `gateway` | the gateway is unavailable | all profiles of the gateway |
"""
ConsentKind = Literal["suppression", "opt_in"]
SessionState = Literal["working", "starting", "stopped", "unlinked", "failed"]
"""`unlinked`: somebody must scan the QR code again."""
Quality = Literal["green", "yellow", "red", "unknown"]
"""The gateway's own rating of a number."""
Partition = Annotated[int, Field(ge=0)]
GatewayMessageId = Annotated[str, Field(min_length=1, max_length=256)]

CALLBACK_PARTITIONS = 16
"""The number of partitions of the callback topic. A router rejects a request that names a partition from this number
on. So all routers must know a new, higher number before any ingress uses it."""

EVERYWHERE: Literal["*"] = "*"
"""Used in place of a package's id. It means all packages."""


class Event(BaseModel):
    """A fact. It is immutable. Readers ignore fields that they do not know, so a reader may be older than the
    writer."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    topic: ClassVar[str]
    type: ClassVar[str]
    nulls_travel: ClassVar[bool] = False
    """Whether the record contains fields that are None. It must, if the default of such a field is another value."""

    traceparent: str | None = Field(default=None, exclude=True, repr=False)
    """The W3C trace context. It is sent as a header, not in the body."""

    @property
    def key(self) -> str | None:
        """The Kafka key. Events with equal keys are read in the order in which they were written."""
        raise NotImplementedError

    @property
    def event_id(self) -> str:
        """The id of the fact. Every repeat of the event has the same id, so that readers can drop repeats."""
        raise NotImplementedError

    @property
    def row_version(self) -> int | None:
        """The event's version as a row of a compacted table. The event never replaces a row with a greater version.
        None: the newest record is the row."""
        return None


def may_lack_recipient_key(schema: dict[str, Any]) -> None:
    """For `json_schema_extra`: a record or an answer has no `recipient_key` if the key does not differ."""
    schema["required"] = [name for name in schema.get("required", ()) if name != "recipient_key"]


class OfPerson(BaseModel):
    """A part of an event, or an event, about one recipient."""

    model_config = ConfigDict(json_schema_extra=may_lack_recipient_key)

    recipient: PhoneNumber
    """The number as the caller or the gateway gave it."""

    @property
    def person(self) -> PersonKey:
        """The key of the recipient, the same for each spelling of the number."""
        return person_key(self.recipient)

    @computed_field
    @property
    def recipient_key(self) -> PersonKey | None:
        """The key of the recipient, if it differs from `recipient`. Readers compute it themselves."""
        return None if self.person == self.recipient else self.person


class Callback(Event):
    """A response to the ingress instance that waits for it. Each instance reads only its own partition of this
    topic."""

    topic: ClassVar[str] = "spreader.callbacks"
    callback_partition: Partition

    @property
    def key(self) -> None:
        return None


EARLIEST_OFFSET = timedelta(hours=14)
"""The time zone in which a local time comes first is 14 hours ahead of UTC."""


class OpenOptions(BaseModel):
    """When the deliveries of an open message may be sent. `docs/hours.md` explains the waiting strategies."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    waiting_strategy: WaitingStrategy = "queued"
    schedule_at: AwareDatetime | None = None
    schedule_local: NaiveDatetime | None = None
    """Like `schedule_at`, but in each recipient's local time (by the time zone of the phone number)."""
    drip_interval_minutes: Annotated[float, Field(gt=0, le=7 * 24 * 60)] | None = None
    drip_until: AwareDatetime | None = None
    """With `drip`: the time at which the last delivery is due. The others are spread evenly before it."""
    expires_at: AwareDatetime | None = None
    """A delivery that is still held at this time is not sent. None: a held delivery waits as long as the limits
    require."""

    @property
    def contradiction(self) -> str | None:
        """Why the options contradict each other. Such a message is rejected. None: they do not contradict each
        other."""
        if self.schedule_at is not None and self.schedule_local is not None:
            return "give `schedule_at` or `schedule_local`, not both"
        if self.drip_until is not None and self.waiting_strategy != "drip":
            return "`drip_until` goes with `waiting_strategy`: drip"
        if self.drip_until is not None and self.drip_interval_minutes is not None:
            return "give `drip_interval_minutes` or `drip_until`, not both"
        if self.expires_at is not None and (begin := self.earliest) is not None and begin >= self.expires_at:
            return "the message expires before it is due: set `expires_at` after `schedule_at` or `schedule_local`"
        return None

    @property
    def earliest(self) -> datetime | None:
        """Before this time, no delivery is due. None without a schedule."""
        if self.schedule_local is not None:
            return (self.schedule_local - EARLIEST_OFFSET).replace(tzinfo=UTC)
        return self.schedule_at


class MessageRequest(Event):
    """A caller's request over Kafka or over HTTP."""

    callback_partition: Partition | None = None
    """The partition on which the caller waits for a callback. None: it waits for none."""
    name: MessageName | None = None
    """The caller's name for the message. None: it has no name."""
    tags: Tags = ()
    sent_by: SentBy | None = None
    """Who sent the message. None: the request came over Kafka and does not say it, or the writer is older than this
    field."""
    resend_of: Id | None = None
    """The message whose failed deliveries this message repeats. None: it repeats none."""
    _unstorable: str | None = PrivateAttr(default=None)

    @property
    def wrong_field(self) -> str | None:
        """What is wrong with a field: its text cannot be stored, or its partition does not exist. Such a message is
        rejected. None: nothing is wrong."""
        if self._unstorable is not None:
            return self._unstorable
        if self.callback_partition == self.existing_callback_partition:
            return None
        return f"/callback_partition: {self.callback_partition} is not below {CALLBACK_PARTITIONS}"

    @property
    def existing_callback_partition(self) -> int | None:
        """The callback partition, if it exists. None: no callback can be sent."""
        partition = self.callback_partition
        return partition if partition is not None and partition < CALLBACK_PARTITIONS else None

    def note_unstorable(self, detail: str) -> None:
        """The decoder of records calls this for a text that cannot be stored. In the event, U+FFFD replaces each
        character that cannot be stored."""
        self._unstorable = detail


class OpenMessageRequested(MessageRequest):
    """A caller submitted an open message: its content and up to 500 of its recipients."""

    topic: ClassVar[str] = "spreader.message-requested.open"
    type: ClassVar[str] = "spreader.message-requested.open.v1"

    package_id: Id
    message_id: Id
    content: Content
    recipients: tuple[PhoneNumber, ...] = Field(min_length=1, max_length=RECIPIENTS_PER_RECORD_MAX)
    first_index: Annotated[int, Field(ge=0)] = 0
    total: Annotated[int, Field(ge=1)] | None = None
    """The number of recipients of the whole message. None: this record contains all of them."""
    distribution: Distribution | None = None
    options: OpenOptions = OpenOptions()
    requested_at: AwareDatetime
    package_version: int | None = None
    """The version of the configuration with which the request was checked. A reader waits until it has read this
    version too."""

    @property
    def key(self) -> str:
        return self.package_id

    @property
    def event_id(self) -> str:
        return f"{self.message_id}/{self.first_index}"

    @property
    def contradiction(self) -> str | None:
        """Why the request can never be sent as it is. Such a message is rejected. None: it can be sent."""
        return self.wrong_field or self._incomplete_number or self.options.contradiction

    @property
    def _incomplete_number(self) -> str | None:
        for place, recipient in enumerate(self.recipients):
            if recipient.startswith("0"):
                return f"/recipients/{place}: {NO_COUNTRY_CODE}"
        return None


class ReplyMessageRequested(OfPerson, MessageRequest):
    """A caller submitted a reply: one content for one recipient."""

    topic: ClassVar[str] = "spreader.message-requested.reply"
    type: ClassVar[str] = "spreader.message-requested.reply.v1"

    package_id: Id
    message_id: Id
    content: Content
    conversation_id: str | None = Field(default=None, max_length=128)
    """Spreader's id of the conversation with this recipient, or any other name that the caller has for it."""
    quote: GatewayMessageId | None = None
    """The gateway's id of the message to quote above the reply."""
    requested_at: AwareDatetime
    package_version: int | None = None

    @property
    def key(self) -> str:
        return f"{self.package_id}:{self.person}"

    @property
    def event_id(self) -> str:
        return self.message_id

    @property
    def continues_conversation(self) -> bool:
        """Whether the request names the conversation with its recipient, by the id of any spelling: before the key was
        introduced, the id came from the number as given. If so, the reply goes to the profile of the
        conversation, however old the conversation is."""
        return any(
            self.conversation_id == conversation_id(self.package_id, number) for number in spellings(self.recipient)
        )

    @property
    def contradiction(self) -> str | None:
        """Why the request can never be sent as it is. Such a message is rejected. None: it can be sent."""
        if self.wrong_field is not None:
            return self.wrong_field
        if self.recipient.startswith("0"):
            return f"/recipient: {NO_COUNTRY_CODE}"
        named = self.conversation_id
        if named is None or self.continues_conversation or not is_conversation_id(named):
            return None
        return "`conversation_id` names the conversation of another recipient or of another package"


class AssignedDelivery(OfPerson):
    """A delivery and the profile chosen for it. `index` is its position among the message's recipients."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    delivery_id: Id
    profile_id: Id
    index: int
    attempt: int = 1
    tried: tuple[Id, ...] = ()


class OpenDeliveriesAssigned(Event):
    """The router chose a profile for each delivery of a record. One event has all the choices (decision 0003)."""

    topic: ClassVar[str] = "spreader.delivery-assigned.open"
    type: ClassVar[str] = "spreader.delivery-assigned.open.v1"

    package_id: Id
    message_id: Id
    content: Content
    options: OpenOptions
    requested_at: AwareDatetime
    package_version: int | None = None
    """The version of the configuration with which the profiles were chosen. The pacer waits until it has read this
    version too."""
    total: Annotated[int, Field(ge=1)] | None = None
    """The number of recipients of the whole message. None: the writer is older than this field."""
    strategy: Distribution
    assigned_at: AwareDatetime | None = None
    """The time of the choice. It is later than in every earlier record of the same router. None: the writer is older
    than this field."""
    passed_over: dict[str, str] = Field(default_factory=dict)
    """The profiles that could not be chosen, each with the reason."""
    written_at: AwareDatetime | None = None
    """The wall time at which the request was first written to Kafka. For deliveries that were returned, it is the time
    of their return. None: the writer is older than this field."""
    deliveries: tuple[AssignedDelivery, ...] = Field(min_length=1, max_length=RECIPIENTS_PER_RECORD_MAX)

    @property
    def key(self) -> str:
        return self.package_id

    @property
    def event_id(self) -> str:
        first = self.deliveries[0]
        return f"{self.message_id}/{first.index}/{first.attempt}"


class WaitingDelivery(OfPerson):
    """A delivery without a profile. `tried` lists the profiles that could not send it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    delivery_id: Id
    index: int
    attempt: int = 1
    tried: tuple[Id, ...] = ()


class OpenDeliveriesWaiting(Event):
    """No profile can send these deliveries now, so the pacer holds them until one can.

    The event has a type of its own, because an older reader must not take these deliveries for assigned ones.
    """

    topic: ClassVar[str] = OpenDeliveriesAssigned.topic
    type: ClassVar[str] = "spreader.delivery-waiting.open.v1"

    package_id: Id
    message_id: Id
    content: Content
    options: OpenOptions
    requested_at: AwareDatetime
    package_version: int | None = None
    total: Annotated[int, Field(ge=1)] | None = None
    """The number of recipients of the whole message."""
    strategy: Distribution
    """How the deliveries are shared among the profiles as soon as one can send."""
    reason: str
    """Why no profile can send now."""
    written_at: AwareDatetime | None = None
    """As in `OpenDeliveriesAssigned`."""
    deliveries: tuple[WaitingDelivery, ...] = Field(min_length=1, max_length=RECIPIENTS_PER_RECORD_MAX)

    @property
    def key(self) -> str:
        return self.package_id

    @property
    def event_id(self) -> str:
        first = self.deliveries[0]
        return f"{self.message_id}/{first.index}/{first.attempt}/waiting"


class ReplyDeliveryAssigned(OfPerson, Event):
    """The router chose the profile for a reply."""

    topic: ClassVar[str] = "spreader.delivery-assigned.reply"
    type: ClassVar[str] = "spreader.delivery-assigned.reply.v1"

    package_id: Id
    message_id: Id
    delivery_id: Id
    profile_id: Id
    content: Content
    reason: str
    """Why this profile was chosen, in words for people."""
    attempt: int = 1
    tried: tuple[Id, ...] = ()
    requested_at: AwareDatetime
    expires_at: AwareDatetime
    quote: GatewayMessageId | None = None
    callback_partition: Partition | None = None

    @property
    def key(self) -> str:
        return f"{self.package_id}:{self.person}"

    @property
    def event_id(self) -> str:
        return f"{self.delivery_id}/{self.attempt}"


class DeliveryReleased(OfPerson, Event):
    """The pacer released an open delivery. The sender must send it now, and must not begin after `send_by`."""

    topic: ClassVar[str] = "spreader.delivery-released"
    type: ClassVar[str] = "spreader.delivery-released.v1"

    package_id: Id
    message_id: Id
    delivery_id: Id
    profile_id: Id
    content: Content
    options: OpenOptions = OpenOptions()
    index: int = 0
    requested_at: AwareDatetime
    attempt: int
    tried: tuple[Id, ...] = ()
    release: int
    """The number of this release among the profile's releases. A repeat of the event has the same number."""
    released_at: AwareDatetime
    send_by: AwareDatetime

    @property
    def key(self) -> str:
        return self.profile_id

    @property
    def event_id(self) -> str:
        return f"{self.delivery_id}/{self.release}"


class DeliveryReturned(OfPerson, Event):
    """A delivery was certainly not sent. The router must choose its next profile, or its first if it has had none."""

    topic: ClassVar[str] = "spreader.delivery-returned"
    type: ClassVar[str] = "spreader.delivery-returned.v1"

    package_id: Id
    message_id: Id
    delivery_id: Id
    lane: Lane
    content: Content
    options: OpenOptions = OpenOptions()
    index: int = 0
    attempt: int
    tried: tuple[Id, ...]
    reason: str
    requested_at: AwareDatetime
    expires_at: AwareDatetime | None = None
    """When a reply expires. None for an open delivery, whose expiry is in `options`."""
    quote: GatewayMessageId | None = None
    """The gateway's id of the message that a reply quotes. None: nothing is quoted."""
    callback_partition: Partition | None = None
    distribution: Distribution | None = None
    """The strategy by which the router chooses the profile. Only set if the delivery waited without a profile."""

    @property
    def key(self) -> str:
        return self.package_id

    @property
    def event_id(self) -> str:
        return f"{self.delivery_id}/{self.attempt}"


class DeliveryOutcome(OfPerson, Event):
    """The outcome of a delivery changed.

    `deferred`: the delivery was certainly not sent. If `not_before` is set, the pacer holds it again on the same
    profile. Otherwise a `DeliveryReturned` gave it back to the router, and it waits for another profile. `sent`: the
    gateway has accepted it. `acknowledged`: WhatsApp's server has it (one tick).
    """

    topic: ClassVar[str] = "spreader.delivery-outcome"
    type: ClassVar[str] = "spreader.delivery-outcome.v1"

    package_id: Id
    message_id: Id
    delivery_id: Id
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
    """With `deferred`: the earliest time at which the delivery may be sent."""
    code: str | None = None
    """The gateway's error code, such as 131048 or 463. None: the gateway reported no code."""
    until: AwareDatetime | None = None
    """The end of a restriction, if the gateway reports it."""
    fingerprint: str | None = Field(default=None, pattern="^[0-9a-f]{16}$")
    """With `sent`: the fingerprint of the content (`spreader.text.fingerprint`)."""
    sent_at: AwareDatetime | None = None
    """With a gateway's receipt: when the gateway accepted the message. None: not a receipt, or ingress has not read the
    outcome `sent` yet."""

    @property
    def key(self) -> str:
        return self.package_id

    @property
    def event_id(self) -> str:
        return f"{self.delivery_id}/{self.attempt}/{self.release or 0}/{self.status}"


class Restriction(BaseModel):
    """The lanes that WhatsApp does not let a profile use. If `lanes` is empty, the restriction has ended."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    lanes: tuple[Lane, ...]
    failure: Literal["restricted", "account", "credentials"]
    until: AwareDatetime | None = None
    """The end of the restriction. None: the gateway did not report it."""


class Quota(BaseModel):
    """WhatsApp's own counter of new chats, if the gateway reports it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    total: int
    used: int
    resets_at: AwareDatetime | None = None
    warning: Literal["none", "first", "second", "capped"] = "none"


class ProfileReported(Event):
    """A gateway reported the state of a profile, apart from any delivery.

    A field that the report does not contain is None.
    """

    topic: ClassVar[str] = "spreader.profile-report"
    type: ClassVar[str] = "spreader.profile-report.v1"

    profile_id: Id
    package_id: Id
    report_id: str = Field(max_length=256)
    """Every repeat of a report has the same id."""
    session: SessionState | None = None
    quality: Quality | None = None
    restriction: Restriction | None = None
    quota: Quota | None = None
    code: str | None = None
    evidence: str
    """The gateway's report in words, for the operator who reads the alert."""
    at: AwareDatetime

    @property
    def key(self) -> str:
        return self.profile_id

    @property
    def event_id(self) -> str:
        return f"{self.profile_id}/{self.report_id}"


class CustomerMessage(OfPerson, Event):
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
        return f"{self.package_id}:{self.person}"

    @property
    def event_id(self) -> str:
        return f"{self.profile_id}/{self.gateway_message_id}"


class MessageCancelled(Event):
    """A caller cancelled a message. If the gateway call of a delivery has not begun, the delivery is not sent."""

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


class ConsentChanged(OfPerson, Event):
    """A recipient was added to a suppression or opt-in list, or removed from it.

    The list is that of one package or of all packages. A removal is an event and not a tombstone, so that a reader can
    keep its own table from these events alone.
    """

    topic: ClassVar[str] = "spreader.consent"
    type: ClassVar[str] = "spreader.consent.v1"

    package_id: Id | Literal["*"]
    kind: ConsentKind
    listed: bool
    source: str
    """Where the change came from: `api`, `csv`, `opt_out_word` (a customer's message) or `gateway` (WhatsApp's own
    opt-out)."""
    at: AwareDatetime

    @property
    def key(self) -> str:
        return f"{self.package_id}:{self.person}:{self.kind}"

    @property
    def event_id(self) -> str:
        return f"{self.key}/{self.at.isoformat()}"


class RecipientErased(Event):
    """An operator erased a person: services remove the number, and cancel what was requested for it before `at`.

    The record itself contains the number, and Kafka keeps it as long as the other records with the number.
    """

    topic: ClassVar[str] = "spreader.recipient-erased"
    type: ClassVar[str] = "spreader.recipient-erased.v1"

    erasure_id: Id
    recipient: PhoneNumber
    keep_suppression: bool = True
    """Whether the number stays on the suppression lists on which it is."""
    at: AwareDatetime

    @property
    def key(self) -> str:
        return self.recipient

    @property
    def event_id(self) -> str:
        return self.erasure_id


class ErasureReported(Event):
    """A service has removed a person. `rows`: how many rows it deleted or changed in each of its tables."""

    topic: ClassVar[str] = "spreader.erasure-report"
    type: ClassVar[str] = "spreader.erasure-report.v1"

    erasure_id: Id
    service: str
    rows: dict[str, int]
    at: AwareDatetime

    @property
    def key(self) -> str:
        return self.erasure_id

    @property
    def event_id(self) -> str:
        return f"{self.erasure_id}/{self.service}"


class PackageConfigured(Event):
    """The current configuration of a package, or the record of its removal."""

    topic: ClassVar[str] = "spreader.package-config"
    type: ClassVar[str] = "spreader.package-config.v1"
    nulls_travel: ClassVar[bool] = True  # a null rest window differs from the default one

    package: Package
    removed: bool = False
    """Whether the package was deleted. Then `package` has no profiles and is paused, so that readers older than this
    field use none of its profiles."""
    at: AwareDatetime

    @property
    def key(self) -> str:
        return self.package.package_id

    @property
    def row_version(self) -> int:
        return self.package.version

    @property
    def event_id(self) -> str:
        return f"{self.package.package_id}/{self.package.version}"


class LaneState(BaseModel):
    """Whether a profile may use a lane. If it may not, until when and why."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    state: Literal["ok", "limited", "blocked"] = "ok"
    until: AwareDatetime | None = None
    """The end of the closure. None: the lane is open, or it stays closed until evidence or an operator lifts the
    closure."""
    cause: str | None = None
    kind: str | None = None
    """Why the lane is closed or limited: a failure class, a sign from stats such as `stuck`, or one of `health` and
    `limit factor`. None: the lane is open and not limited."""
    since: AwareDatetime | None = None


class Counts(BaseModel):
    """What happened on a profile within a time span. The limits count `sent_open`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sent: int = 0
    sent_open: int = 0
    acknowledged: int = 0
    """Deliveries that WhatsApp's server has accepted. All delivered ones are included."""
    delivered: int = 0
    read: int = 0
    failed: int = 0
    received: int = 0
    answered: int = 0
    """Customers who wrote after an open message to them."""
    new_contacts: int = 0
    """Open messages to cold contacts."""
    unanswered: int = 0
    """New contacts that have not written since."""
    failures: dict[str, int] = Field(default_factory=dict)
    """The failed deliveries and failed tries of each failure class."""


class Windows(BaseModel):
    """A profile's counts of the last hour, 2 hours, 3 hours, 24 hours and 7 days."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    hour: Counts = Counts()
    two_hours: Counts = Counts()
    three_hours: Counts = Counts()
    day: Counts = Counts()
    week: Counts = Counts()


class HealthReason(BaseModel):
    """One component of a profile's health. Of its `weight` the profile gets the part `share`, because of the
    `evidence`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    weight: int
    share: Annotated[float, Field(ge=0, le=1)]
    evidence: str


class Health(BaseModel):
    """A profile's health, 0 to 100, with its components.

    `warning`: the score is under 60. `paused`: the score fell under 40 and the open lane was closed. The lane opens
    when the score is back at 55 and the pause has lasted 6 hours.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    score: Annotated[int, Field(ge=0, le=100)]
    band: Literal["good", "warning", "paused"]
    capped_by: str | None = None
    """Why the score is lower than the sum of its components. None: it is the sum."""
    reasons: tuple[HealthReason, ...] = ()


class RiskyPattern(BaseModel):
    """A sending habit that gets accounts blocked, and its evidence."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: str
    evidence: str


class ProfileState(Event):
    """The state of a profile as stats computes it."""

    topic: ClassVar[str] = "spreader.profile-state"
    type: ClassVar[str] = "spreader.profile-state.v1"

    profile_id: Id
    package_id: Id
    open: LaneState = LaneState()
    reply: LaneState = LaneState()
    limit_factor: Annotated[float, Field(ge=0.1, le=1)] = 1.0
    limit_cause: str | None = None
    """Why the limit factor is less than 1. None: it is 1."""
    health: Health | None = None
    """None: not computed yet."""
    risks: tuple[RiskyPattern, ...] = ()
    session: SessionState | None = None
    quality: Quality | None = None
    quota: Quota | None = None
    """The gateway's last report of its counter. None: there was none."""
    windows: Windows = Windows()
    at: AwareDatetime

    @property
    def key(self) -> str:
        return self.profile_id

    @property
    def event_id(self) -> str:
        return f"{self.profile_id}/{self.at.isoformat()}"


class ProfilePace(Event):
    """How the pacer paces a profile now: all factors in force, and the bound of the next release."""

    topic: ClassVar[str] = "spreader.profile-pace"
    type: ClassVar[str] = "spreader.profile-pace.v1"
    nulls_travel: ClassVar[bool] = True

    profile_id: Id
    package_id: Id
    waiting: int
    """The number of held deliveries whose own earliest time has come. It is counted only up to `rush_over` + 1."""
    held: int = 0
    """The number of all held deliveries, counted up to 100,000."""
    assigned_until: AwareDatetime | None = None
    """`held` includes all deliveries that the router assigned up to this time (`assigned_at`)."""
    last_release: AwareDatetime | None
    next_release: AwareDatetime | None
    """None: nothing waits, or the end of its bound is not known."""
    bound: str
    bounds: dict[str, AwareDatetime | None] = Field(default_factory=dict)
    """All bounds in force, `bound` included, each with its end. An end of None is not known."""
    base_seconds: float
    pressure: float
    tempo: float
    mean_seconds: float
    gap_min_seconds: float = 0
    gap_max_seconds: float = 0
    """The range of the next gap."""
    limit_factor: float = 1
    """The limit factor from stats."""
    warm_up: float = 1
    """The share of its limits that the account may use."""
    limits: ProfileLimits = ProfileLimits()
    """The limits in force: the operator's limits, multiplied by `limit_factor` and `warm_up`."""
    at: AwareDatetime

    @property
    def key(self) -> str:
        return self.profile_id

    @property
    def event_id(self) -> str:
        return f"{self.profile_id}/{self.at.isoformat()}"


class MessageRouted(Callback):
    """How the router distributed one record of a message. `distribution` counts the deliveries of each profile."""

    type: ClassVar[str] = "spreader.message-routed.v1"

    message_id: Id
    first_index: int
    distribution: dict[str, int]
    rejected: int = 0
    suppressed: int = 0
    """The number of recipients to whom the package must not send open messages."""
    waiting: int = 0
    """Deliveries that wait without a profile, because none can send now."""
    reason: str | None = None
    """Why deliveries were rejected, or why they wait. None: no delivery was rejected, and none waits."""

    @property
    def event_id(self) -> str:
        return f"{self.message_id}/{self.first_index}/routed"


class ReplySettled(Callback):
    """The result of a reply that a caller waits for. `reason`: why this profile was used, or why nothing was sent."""

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
    """An alert about a profile was raised, acknowledged or cleared."""

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
    """Who acknowledged the alert. None: it was not acknowledged."""
    at: AwareDatetime

    @property
    def key(self) -> str:
        return self.profile_id

    @property
    def event_id(self) -> str:
        return f"{self.alert_id}/{self.state}"


EVENTS: tuple[type[Event], ...] = (
    OpenMessageRequested,
    ReplyMessageRequested,
    OpenDeliveriesAssigned,
    OpenDeliveriesWaiting,
    ReplyDeliveryAssigned,
    DeliveryReleased,
    DeliveryReturned,
    DeliveryOutcome,
    ProfileReported,
    CustomerMessage,
    MessageCancelled,
    ConsentChanged,
    RecipientErased,
    ErasureReported,
    PackageConfigured,
    ProfileState,
    ProfilePace,
    MessageRouted,
    ReplySettled,
    Alert,
)

DEAD_LETTER_TOPIC = "spreader.dead-letter"
COMPACTED: frozenset[str] = frozenset(
    {ConsentChanged.topic, PackageConfigured.topic, ProfileState.topic, ProfilePace.topic}
)
PARTITIONS: Mapping[str, int] = {
    **{event.topic: 6 for event in EVENTS},
    **dict.fromkeys(COMPACTED, 3),
    **dict.fromkeys((RecipientErased.topic, ErasureReported.topic), 1),  # few records, for which no caller waits
    Callback.topic: CALLBACK_PARTITIONS,
    DEAD_LETTER_TOPIC: 3,
}
"""The number of partitions of every topic. No more instances of a service than this can share the records of a
topic."""

TERMINAL: frozenset[Status] = frozenset({"failed", "expired", "cancelled", "suppressed", "rejected"})
"""The statuses that a delivery keeps for good. (`sent`, `delivered`, `read` and `unknown` are not among them.)"""
