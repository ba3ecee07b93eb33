"""Form: a JSON object that a caller sends, checked field by field."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, NaiveDatetime


class Form(BaseModel):
    """A field that we do not know is refused: it would have no effect."""

    model_config = ConfigDict(frozen=True, extra="forbid")


_YEARS = range(2000, 3000)


def _moment(value: Any) -> Any:
    if not isinstance(value, str) or value[4:5] != "-":  # pydantic would take a number of seconds, too
        raise ValueError("a moment looks like 2024-02-10T10:00:00Z")
    return value


def _thinkable(moment: datetime) -> datetime:
    if moment.year not in _YEARS:
        raise ValueError("the year must be from 2000 to 2999")
    return moment


Moment = Annotated[AwareDatetime, Field(strict=False), AfterValidator(_thinkable), BeforeValidator(_moment)]
LocalMoment = Annotated[NaiveDatetime, Field(strict=False), AfterValidator(_thinkable), BeforeValidator(_moment)]
