"""Report form: what a tester lets happen to an account."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from simulator.core.reports import (
    Counted,
    Disabled,
    OptedOut,
    Rated,
    Rating,
    Report,
    SessionChanged,
    SessionStatus,
    Silenced,
    TemporarilyBanned,
    TimeLocked,
    Warning_,
)
from simulator.wire import Body
from spreader.contract.ids import PhoneNumber

Seconds = Annotated[PositiveFloat, Field(le=31 * 86_400, description="Of the system's time, from now.")]


def _from(now: datetime, seconds: float) -> datetime:
    return now + timedelta(seconds=seconds)


class SessionForm(Body):
    kind: Literal["session"]
    status: SessionStatus
    reason: Annotated[int, Field(ge=200, le=599)] | None = None

    def report(self, now: datetime) -> Report:
        return SessionChanged(self.status, self.reason)


class TimeLockForm(Body):
    kind: Literal["time_lock"]
    seconds: Seconds | None = Field(default=None, description="null: the lock is over.")
    enforcement: str = Field(default="DEFAULT", pattern="^[A-Z_]{1,64}$")

    def report(self, now: datetime) -> Report:
        return TimeLocked(None if self.seconds is None else _from(now, self.seconds), self.enforcement)


class SilenceForm(Body):
    kind: Literal["silence"]
    seconds: Seconds

    def report(self, now: datetime) -> Report:
        return Silenced(_from(now, self.seconds))


class QuotaForm(Body):
    kind: Literal["quota"]
    total: PositiveInt
    used: NonNegativeInt
    warning: Warning_
    seconds: Seconds = 86_400.0

    def report(self, now: datetime) -> Report:
        return Counted(self.total, self.used, _from(now, self.seconds), self.warning)


class BanForm(Body):
    kind: Literal["temporary_ban"]
    code: Literal[101, 102, 103, 104, 106]
    seconds: Seconds

    def report(self, now: datetime) -> Report:
        return TemporarilyBanned(self.code, _from(now, self.seconds))


class QualityForm(Body):
    kind: Literal["quality"]
    rating: Rating

    def report(self, now: datetime) -> Report:
        return Rated(self.rating)


class OptOutForm(Body):
    kind: Literal["opt_out"]
    phone: PhoneNumber
    resumes: bool = False

    def report(self, now: datetime) -> Report:
        return OptedOut(self.phone, self.resumes)


class DisableForm(Body):
    kind: Literal["disable"]
    reinstated: bool = False

    def report(self, now: datetime) -> Report:
        return Disabled(self.reinstated)


ReportRequest = Annotated[
    SessionForm | TimeLockForm | SilenceForm | QuotaForm | BanForm | QualityForm | OptOutForm | DisableForm,
    Field(discriminator="kind"),
]
