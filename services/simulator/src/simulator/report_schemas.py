"""Report schemas: the requests with which a tester makes something happen to an account, such as a ban."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from simulator.core.reports import (
    AccountDisabled,
    OptedOut,
    QualityRated,
    QualityRating,
    QuotaCounted,
    QuotaWarning,
    Report,
    SessionChanged,
    SessionStatus,
    Silenced,
    TemporarilyBanned,
    TimeLocked,
)
from simulator.schemas import RequestModel
from spreader.contract.ids import PhoneNumber

Seconds = Annotated[PositiveFloat, Field(le=31 * 86_400, description="From now, in system time.")]


def _after(now: datetime, seconds: float) -> datetime:
    return now + timedelta(seconds=seconds)


class SessionForm(RequestModel):
    kind: Literal["session"]
    status: SessionStatus
    reason: Annotated[int, Field(ge=200, le=599)] | None = None

    def report(self, now: datetime) -> Report:
        return SessionChanged(self.status, self.reason)


class TimeLockForm(RequestModel):
    kind: Literal["time_lock"]
    seconds: Seconds | None = Field(default=None, description="null: the lock is over.")
    enforcement: str = Field(default="DEFAULT", pattern="^[A-Z_]{1,64}$")

    def report(self, now: datetime) -> Report:
        return TimeLocked(None if self.seconds is None else _after(now, self.seconds), self.enforcement)


class SilenceForm(RequestModel):
    kind: Literal["silence"]
    seconds: Seconds

    def report(self, now: datetime) -> Report:
        return Silenced(_after(now, self.seconds))


class QuotaForm(RequestModel):
    kind: Literal["quota"]
    total: PositiveInt
    used: NonNegativeInt
    warning: QuotaWarning
    seconds: Seconds = 86_400.0

    def report(self, now: datetime) -> Report:
        return QuotaCounted(self.total, self.used, _after(now, self.seconds), self.warning)


class BanForm(RequestModel):
    kind: Literal["temporary_ban"]
    code: Literal[101, 102, 103, 104, 106]
    seconds: Seconds

    def report(self, now: datetime) -> Report:
        return TemporarilyBanned(self.code, _after(now, self.seconds))


class QualityForm(RequestModel):
    kind: Literal["quality"]
    rating: QualityRating

    def report(self, now: datetime) -> Report:
        return QualityRated(self.rating)


class OptOutForm(RequestModel):
    kind: Literal["opt_out"]
    phone: PhoneNumber
    resumes: bool = False

    def report(self, now: datetime) -> Report:
        return OptedOut(self.phone, self.resumes)


class DisableForm(RequestModel):
    kind: Literal["disable"]
    reinstated: bool = False

    def report(self, now: datetime) -> Report:
        return AccountDisabled(self.reinstated)


ReportRequest = Annotated[
    SessionForm | TimeLockForm | SilenceForm | QuotaForm | BanForm | QualityForm | OptOutForm | DisableForm,
    Field(discriminator="kind"),
]
