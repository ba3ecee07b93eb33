"""Completion forecast: the time at which a message will be complete, as the pacer forecasts it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spreader.contract.events import OpenOptions
from spreader.http.service_client import ServiceClient, ServiceUnavailable

SAMPLE_MAX = 200


@dataclass(frozen=True, slots=True)
class CompletionForecast:
    """`completion`: an RFC 3339 time. None: there is no forecast, and `note` says why."""

    completion: str | None
    note: str | None = None


def forecast_query(
    package_id: str,
    deliveries: Mapping[str, int],
    options: OpenOptions,
    recipients: Sequence[str],
    message_id: str | None = None,
) -> dict[str, Any]:
    """The body of the pacer's forecast query. It contains only a sample of the recipients, from which the pacer gets
    their time zones.

    `deliveries`: how many each profile gets. `message_id`: None if the message is not accepted yet.
    """
    return {
        "package_id": package_id,
        "deliveries": dict(deliveries),
        "recipients": list(recipients[:: max(len(recipients) // SAMPLE_MAX, 1)][:SAMPLE_MAX]),
        "options": options.model_dump(mode="json", exclude_none=True),
        "message_id": message_id,
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
    return CompletionForecast(completion)
