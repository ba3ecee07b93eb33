"""Completion forecast: the time at which a message will be complete, as the pacer forecasts it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from spreader.contract.configuration import Package
from spreader.contract.events import OpenOptions
from spreader.http.service_client import ServiceClient, ServiceUnavailable

FORECAST_SECONDS = 20.0
"""How long a preview waits for the pacer."""


@dataclass(frozen=True, slots=True)
class CompletionForecast:
    """`completion` is an RFC 3339 time, or None if there is no forecast. `note` says why there is no forecast, or that
    the time was extrapolated."""

    completion: str | None
    note: str | None = None


def forecast_query(
    package: Package,
    deliveries: Mapping[str, int],
    options: OpenOptions,
    sample: Sequence[str],
    purpose: Literal["answer", "preview"],
    message_id: str | None = None,
) -> dict[str, Any]:
    """The body of the query for the pacer's forecast.

    `package`: the pacer waits until it knows this version of the package. `deliveries`: how many each profile gets.
    `sample`: some of the recipients. They are enough, because the pacer needs only their time zones. `purpose`: for
    `answer` the pacer simulates fewer releases and returns no curve. `message_id`: None if the message is not accepted
    yet.
    """
    return {
        "package_id": package.package_id,
        "package_version": package.version,
        "deliveries": dict(deliveries),
        "recipients": list(sample),
        "options": options.model_dump(mode="json", exclude_none=True),
        "message_id": message_id,
        "purpose": purpose,
    }


async def forecast_completion(
    pacer: ServiceClient, query: Mapping[str, Any], wait_seconds: float
) -> CompletionForecast:
    """The pacer's forecast, or the reason why there is none within `wait_seconds`."""
    response = await pacer.query("/forecast", query, wait_seconds)
    if response is None:
        return CompletionForecast(None, "the pacer does not know the package yet")
    if isinstance(response, ServiceUnavailable):
        return CompletionForecast(None, response.reason)
    completion = response.get("completion")
    if not completion:
        return CompletionForecast(None, f"nothing can be sent for now: {response.get('binds')}")
    return CompletionForecast(completion, extrapolation_note(response))


def extrapolation_note(forecast: Mapping[str, Any]) -> str | None:
    """A note that the forecast is extrapolated. None if the pacer simulated every release, or gave no completion."""
    if forecast["completion"] is None or forecast.get("counted_until") is None:
        return None
    simulated = forecast.get("simulated", "first")  # a pacer of an older version returns no number
    return (
        f"extrapolated: the pacer simulated {simulated} releases of the queue, and expects the others at the pace that "
        "the limits allow; the time may be off by a quarter, or more where the simulated releases show little of it"
    )
