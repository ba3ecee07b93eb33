"""Forecast: when a message will be complete, as the pacer foresees it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ingress.infra.service_client import ServiceClient, ServiceUnavailable
from spreader.contract.events import OpenOptions

SAMPLE_MAX = 200


@dataclass(frozen=True, slots=True)
class Forecast:
    completion: str | None
    note: str | None = None
    """Why there is none."""


def question(
    package_id: str, deliveries: Mapping[str, int], options: OpenOptions, recipients: Sequence[str],
    message_id: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """What the pacer is asked; a sample of the recipients tells it their time zones. `message_id`: once accepted."""
    return {
        "package_id": package_id,
        "deliveries": dict(deliveries),
        "recipients": list(recipients[:: max(len(recipients) // SAMPLE_MAX, 1)][:SAMPLE_MAX]),
        "options": options.model_dump(mode="json", exclude_none=True),
        "message_id": message_id,
    }


async def forecast(pacer: ServiceClient, asked: Mapping[str, Any], wait_seconds: float) -> Forecast:
    answer = await pacer.query("/forecast", asked, wait_seconds)
    if answer is None:
        return Forecast(None, "the pacer does not know the package yet")
    if isinstance(answer, ServiceUnavailable):
        return Forecast(None, answer.reason)
    completion = answer.get("completion")
    return Forecast(completion) if completion else Forecast(None, f"nothing goes for now: {answer.get('binds')}")
