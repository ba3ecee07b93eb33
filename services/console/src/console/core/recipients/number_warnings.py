"""Number warnings: what the ingress says about numbers that may be wrong. These numbers are used all the same."""

from pydantic import BaseModel, ConfigDict


class ApiSampleNumber(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    number: str
    detail: str


class ApiNumberWarning(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    detail: str
    count: int
    samples: tuple[ApiSampleNumber, ...] = ()

    @property
    def words(self) -> str:
        samples = ", ".join(f"{sample.number} ({sample.detail})" for sample in self.samples)
        return f"{self.count} × {self.detail}: {samples}"
