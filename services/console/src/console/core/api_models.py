"""API models: the responses of ingress and stats as Python objects. Fields that a model lacks are ignored."""

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from console.core.recipients.number_warnings import ApiNumberWarning
from spreader.contract.configuration import PackageLimits, ProfileLimits
from spreader.contract.events import ProfileState


class ApiModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ApiPackage(ApiModel):
    package_id: str
    name: str
    timezone: str = "UTC"
    default_country: str | None = None
    distribution: str = "round_robin"
    paused: bool = False
    version: int = 1
    limits: PackageLimits = PackageLimits()
    profile_limits: ProfileLimits = ProfileLimits()
    profile_ids: tuple[str, ...] = ()


class ApiPackageList(ApiModel):
    data: tuple[ApiPackage, ...]


class ApiGateway(ApiModel):
    driver: str
    base_url: str | None = None
    account: str | None = None
    credentials: Any = None


class ApiProfile(ApiModel):
    profile_id: str
    package_id: str
    name: str
    phone: str
    weight: int | None = None
    backup: bool = False
    paused: bool = False
    limits: dict[str, int | None] = Field(default_factory=dict)
    effective_limits: ProfileLimits = ProfileLimits()
    warm_up_from: AwareDatetime | None = None
    gateway: ApiGateway


class ApiProfileList(ApiModel):
    data: tuple[ApiProfile, ...]
    next_cursor: str | None = None


class ApiProfileStates(ApiModel):
    data: tuple[ProfileState, ...]
    next_cursor: str | None = None


class ApiPackageFigures(ApiModel):
    """The figures of all profiles of a package together."""

    package_id: str
    profiles: dict[str, int] = Field(default_factory=dict)
    """The number of profiles, by the state of their open lane."""
    hour: dict[str, int] = Field(default_factory=dict)
    day: dict[str, int] = Field(default_factory=dict)
    open_alerts: int = 0


class ApiPackageFiguresList(ApiModel):
    data: tuple[ApiPackageFigures, ...]


class ApiMessage(ApiModel):
    message_id: str
    package_id: str
    lane: Literal["open", "reply"]
    type: str
    status: str
    recipients: int
    counts: dict[str, int]
    waiting_for_profile: int = 0
    accepted_at: AwareDatetime
    cancel_requested_at: AwareDatetime | None = None


class ApiMessageList(ApiModel):
    data: tuple[ApiMessage, ...]
    next_cursor: str | None = None
    kept_days: float | None = None
    """How many days a message is kept after its last event. None if the ingress is an older version, which does not
    return this field."""


class ApiDelivery(ApiModel):
    delivery_id: str
    message_id: str
    lane: str
    recipient: str
    profile_id: str | None = None
    status: str
    attempt: int = 1
    reason: str | None = None
    failure: str | None = None
    sent_at: AwareDatetime | None = None
    updated_at: AwareDatetime | None = None


class ApiDeliveryList(ApiModel):
    data: tuple[ApiDelivery, ...]
    next_cursor: str | None = None


class ApiProfileForecast(ApiModel):
    completion: AwareDatetime | None = None
    deliveries: int = 0
    binds: str | None = None


class ApiForecastHour(ApiModel):
    """How many deliveries a forecast expects to be released in the hour that begins at `begin`."""

    begin: AwareDatetime
    deliveries: int
    profiles: dict[str, int] = Field(default_factory=dict)


class ApiForecast(ApiModel):
    """A forecast of when all waiting deliveries will have been released."""

    completion: AwareDatetime | None = None
    binds: str | None = None
    counted_until: AwareDatetime | None = None
    profiles: dict[str, ApiProfileForecast] = Field(default_factory=dict)
    curve: tuple[ApiForecastHour, ...] = ()


class ApiWhatIf(ApiModel):
    now: ApiForecast
    then: ApiForecast
    warnings: tuple[dict[str, str], ...] = ()


class ApiPreview(ApiForecast):
    recipients: int
    warnings: tuple[ApiNumberWarning, ...] = ()
    duplicates_removed: int = 0
    suppressed: int = 0
    strategy: str
    distribution: dict[str, int]
    passed_over: dict[str, str] = Field(default_factory=dict)
    waiting_for_profile: int = 0
    estimated_completion: AwareDatetime | None = None


class ApiAlert(ApiModel):
    alert_id: str
    profile_id: str
    package_id: str
    kind: str
    severity: str = "warning"
    state: str
    evidence: str
    raised_at: AwareDatetime | None = None
    acknowledged_at: AwareDatetime | None = None
    acknowledged_by: str | None = None
    cleared_at: AwareDatetime | None = None
    quiet_since: AwareDatetime | None = None


class ApiAlertList(ApiModel):
    data: tuple[ApiAlert, ...]
    next_cursor: str | None = None


class ApiHistoryPoint(ApiModel):
    """The counts of one minute, one hour or one day."""

    at: AwareDatetime
    sent: int = 0
    sent_open: int = 0
    delivered: int = 0
    read: int = 0
    failed: int = 0
    received: int = 0


class ApiHistory(ApiModel):
    by: Literal["minute", "hour", "day"]
    begin: AwareDatetime = Field(alias="from")
    end: AwareDatetime = Field(alias="to")
    data: tuple[ApiHistoryPoint, ...]


class ApiRates(ApiModel):
    delivered: float | None = None
    read: float | None = None
    failed: float | None = None
    answered: float | None = None


class ApiProfileReport(ApiModel):
    profile_id: str
    package_id: str
    sent: int = 0
    delivered: int = 0
    read: int = 0
    failed: int = 0
    received: int = 0
    rates: ApiRates = ApiRates()


class ApiProfileReportList(ApiModel):
    data: tuple[ApiProfileReport, ...]


class ApiDifference(ApiModel):
    pointer: str
    before: Any = Field(default=None, alias="from")
    after: Any = Field(default=None, alias="to")


class ApiChange(ApiModel):
    number: int
    at: AwareDatetime
    who: str | None = None
    undoes: int | None = None
    undone_by: int | None = None
    undoable: bool = False
    why_not_undoable: str | None = None
    differences: tuple[ApiDifference, ...]


class ApiChangeList(ApiModel):
    data: tuple[ApiChange, ...]
    next_cursor: str | None = None


class ApiConsentEntry(ApiModel):
    """A phone number on a suppression or opt-in list."""

    recipient: str
    since: AwareDatetime
    source: str
    evidence: str | None = None


class ApiConsentList(ApiModel):
    data: tuple[ApiConsentEntry, ...]
    next_cursor: str | None = None


class ApiProfileBinding(ApiModel):
    """The profile that a conversation used from the time `at`, and the cause of that choice."""

    profile_id: str
    at: AwareDatetime
    cause: str


class ApiPossibleOptOut(ApiModel):
    recipient: str
    profile_id: str
    text: str
    at: AwareDatetime


class ApiPossibleOptOuts(ApiModel):
    data: tuple[ApiPossibleOptOut, ...]
    next_cursor: str | None = None


class ApiHiddenMessage(ApiModel):
    profile_id: str
    hidden_id: str
    message_id: str
    text: str | None = None
    at: AwareDatetime


class ApiHiddenMessages(ApiModel):
    data: tuple[ApiHiddenMessage, ...]
    next_cursor: str | None = None


class ApiConversation(ApiModel):
    conversation_id: str | None = None
    recipient: str
    profile_id: str | None = None
    customer_at: AwareDatetime | None = None
    sent_at: AwareDatetime | None = None
    warm: bool = False
    over: bool = False
    history: tuple[ApiProfileBinding, ...] = ()
