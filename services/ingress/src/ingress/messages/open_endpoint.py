"""Open message endpoint: accepts messages that open conversations."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal, NotRequired

from fastapi import APIRouter, Request, Response
from typing_extensions import TypedDict

from ingress.configuration.config_cache import IngressConfigCache
from ingress.core.limits import LimitsStatus, limits_status
from ingress.core.number_warnings import NumberWarning, other_spellings
from ingress.core.open_messages import RoutingSummary, RoutingTally
from ingress.core.recipient_parts import RecipientParts
from ingress.http.openapi import add_route
from ingress.http.operator import current_sender
from ingress.http.responses import ApiResponse
from ingress.http.urls import API
from ingress.messages.callbacks import CallbackChannel
from ingress.messages.forecast import CompletionForecast, forecast_completion, forecast_query
from ingress.messages.intake import MessageIntake
from ingress.messages.received import ReceivedMessage
from ingress.messages.schemas import OpenMessage, content_of
from ingress.metrics import ACCEPT_SECONDS, ACCEPTED, UNANSWERED
from ingress.status.accepted import accepted_open
from ingress.status.projection import StatusProjection
from spreader.clock import Now
from spreader.contract.configuration import Package
from spreader.contract.events import Callback, MessageRouted, OpenMessageRequested
from spreader.http.openapi import TimeText
from spreader.http.service_client import ServiceClient
from spreader.kafka.bus import Bus
from spreader.kafka.envelope import Envelope, encode
from spreader.telemetry.tracing import current_traceparent

RECORDS_OF_STATEMENT = 10
"""How many records of a large message one statement stores."""
_ACCEPTED, _ACCEPT_SECONDS, _UNANSWERED = (
    ACCEPTED.labels("open"),
    ACCEPT_SECONDS.labels("open"),
    UNANSWERED.labels("open"),
)


class Outlook(TypedDict):
    """The members of the response that depend on router and pacer. A note says why a member has no value, or how the
    value was estimated."""

    estimated_completion: TimeText | None
    distribution: dict[str, int] | None
    waiting_for_profile: int | None
    suppressed: int | None
    estimated_completion_note: NotRequired[str]
    distribution_note: NotRequired[str]
    rejected: NotRequired[int]
    rejected_reasons: NotRequired[tuple[str, ...]]


class AcceptedOpenMessage(Outlook):
    message_id: str
    status: Literal["queued"]
    recipients: int
    duplicates_removed: int
    limits_status: LimitsStatus
    warnings: NotRequired[list[NumberWarning]]


@dataclass(frozen=True, slots=True)
class OpenMessageEndpoint:
    intake: MessageIntake[OpenMessage]
    bus: Bus
    config_cache: IngressConfigCache
    callbacks: CallbackChannel
    projection: StatusProjection
    pacer: ServiceClient
    now: Now
    wake_relay: Callable[[], None]
    routed_wait_seconds: float
    forecast_wait_seconds: float

    async def accept(self, package_id: str, request: Request) -> Response:
        """Stores the message. Its deliveries are sent later.

        `estimated_completion` comes from a simulation of at most 500 releases. If more releases are needed, the time is
        extrapolated, and `estimated_completion_note` says so. If `estimated_completion` is null, the note says why.
        """
        return await self.intake.accept(package_id, request, self._publish_and_wait)

    async def _publish_and_wait(
        self, package: Package, received: ReceivedMessage[OpenMessage], message_id: str, waits: bool
    ) -> ApiResponse:
        form, recipients = received.form, received.recipients
        events = self._events(package, received, message_id, waits)
        states = self.config_cache.states_of(package)  # read first, so that the states do not count this message
        if waits:
            with self.callbacks.waiters.expect(message_id, len(recipients)) as waiter:
                await self._publish(recipients, events)
                routing = await _routing(await waiter.wait(self.routed_wait_seconds))
        else:
            await self._publish(recipients, events)
            routing = None
        profile_ids = routing.distribution if routing and routing.distribution else package.profile_ids
        body: AcceptedOpenMessage = {
            "message_id": message_id,
            "status": "queued",
            "recipients": recipients.count,
            "duplicates_removed": recipients.repeats,
            **await self._outlook(package, form, message_id, recipients.sample, routing, waits),
            "limits_status": limits_status(package, states, profile_ids),
        }
        if warnings := other_spellings(recipients.other_spellings):
            body["warnings"] = warnings
        return ApiResponse(202, body)

    def _events(
        self, package: Package, received: ReceivedMessage[OpenMessage], message_id: str, waits: bool
    ) -> Iterator[OpenMessageRequested]:
        """One event for each part of the recipients. Each event is built only when the caller asks for the next one."""
        form, recipients = received.form, received.recipients
        content, now, traceparent = content_of(form), self.now(), current_traceparent()
        sent_by = current_sender()
        first_index = 0
        for part in recipients:
            yield OpenMessageRequested.model_construct(  # without validation: the form is validated already
                traceparent=traceparent,
                package_id=package.package_id,
                message_id=message_id,
                content=content,
                recipients=part,
                first_index=first_index,
                total=recipients.count if len(recipients) > 1 else None,
                distribution=form.distribution,
                options=form.options,
                requested_at=now,
                package_version=package.version,
                callback_partition=self.callbacks.partition if waits else None,
                name=form.name,
                tags=form.tags,
                sent_by=sent_by,
            )
            first_index += len(part)

    async def _publish(self, recipients: RecipientParts, events: Iterator[OpenMessageRequested]) -> None:
        """A single record is published directly. Several records go through the outbox, so that either all of them or
        none are published."""
        with _ACCEPT_SECONDS.time():
            if len(recipients) == 1:
                await self.bus.publish(next(events))
            else:
                await self._put_into_outbox(events)
        _ACCEPTED.inc(recipients.count)

    async def _put_into_outbox(self, events: Iterator[OpenMessageRequested]) -> None:
        first = next(events)
        await self.projection.accept_large(accepted_open(first), self._envelopes(chain([first], events)))
        self.wake_relay()

    async def _envelopes(self, events: Iterator[OpenMessageRequested]) -> AsyncGenerator[Sequence[Envelope]]:
        """Encodes the events as records. Yields as many records at once as one statement stores. Other requests are
        served between two records."""
        envelopes = list[Envelope]()
        for event in events:
            envelopes.append(encode(event, "ingress", self.now()))
            await asyncio.sleep(0)
            if len(envelopes) == RECORDS_OF_STATEMENT:
                yield envelopes
                envelopes = []
        if envelopes:
            yield envelopes

    async def _outlook(
        self,
        package: Package,
        form: OpenMessage,
        message_id: str,
        sample: Sequence[str],
        routing: RoutingSummary | None,
        waits: bool,
    ) -> Outlook:
        reason = "the router has not responded yet" if waits else "not known yet, because of `Prefer: respond-async`"
        forecast = CompletionForecast(None, reason)
        if routing is not None:
            forecast = await self._forecast(package, form, message_id, sample, routing)
        outlook: Outlook = {
            "estimated_completion": forecast.completion,
            "distribution": None if routing is None else routing.distribution,
            "waiting_for_profile": None if routing is None else routing.waiting,
            "suppressed": None if routing is None else routing.suppressed,
        }
        if forecast.note:
            outlook["estimated_completion_note"] = forecast.note
        if routing is None:
            outlook["distribution_note"] = reason
        elif routing.rejected:
            outlook["rejected"] = routing.rejected
            outlook["rejected_reasons"] = routing.reasons
        return outlook

    async def _forecast(
        self, package: Package, form: OpenMessage, message_id: str, sample: Sequence[str], routing: RoutingSummary
    ) -> CompletionForecast:
        """The pacer's forecast for this message. There is none while deliveries wait for a profile."""
        if routing.waiting:
            return CompletionForecast(
                None, f"{routing.waiting} wait for a profile: {'; '.join(routing.waiting_reasons)}"
            )
        query = forecast_query(package, routing.distribution, form.options, sample, "answer", message_id)
        return await forecast_completion(self.pacer, query, self.forecast_wait_seconds)

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=f"{API}/packages/{{package_id}}/messages", tags=["messages"])
        add_route(
            router,
            "POST",
            "/open",
            self.accept,
            "sendOpenMessage",
            "Open conversations: paced, limited, distributed",
            status=202,
            body=OpenMessage,
            examples=REQUEST_EXAMPLES,
            shape=AcceptedOpenMessage,
            response=RESPONSE_EXAMPLE,
            idempotent=True,
            direct=True,
            problems=(400, 404, 409, 413, 422, 503),
        )
        return router


async def _routing(callbacks: Sequence[Callback] | None) -> RoutingSummary | None:
    """The sum of the routing results of a message's records. None if the router's callback for any record did not come
    in time."""
    if callbacks is None:
        _UNANSWERED.inc()
        return None
    tally = RoutingTally()
    for callback in callbacks:
        if isinstance(callback, MessageRouted):
            tally.add(callback)
        if len(callbacks) > 1:
            await asyncio.sleep(0)
    return tally.summary


REQUEST_EXAMPLES: dict[str, dict[str, Any]] = {
    "text": {
        "type": "text",
        "text": "Hello! Check out our new offers...",
        "recipients": ["201001234567", "201001234568", "201001234569"],
        "distribution": "round_robin",
        "options": {
            "schedule_at": "2024-02-10T10:00:00Z",
            "waiting_strategy": "drip",
            "drip_interval_minutes": 5,
        },
    },
    "image": {
        "type": "image",
        "media": {"url": "https://example.com/offer.png"},
        "caption": "Today only",
        "recipients": ["201001234567"],
    },
    "template": {
        "type": "template",
        "template": {"name": "order_confirmed", "language": "en_US", "components": []},
        "recipients": ["201001234567"],
    },
}
RESPONSE_EXAMPLE: dict[str, Any] = {
    "message_id": "msg_abc123",
    "status": "queued",
    "recipients": 3,
    "duplicates_removed": 0,
    "estimated_completion": "2024-02-10T10:15:00Z",
    "distribution": {"profile_1": 1, "profile_2": 1, "profile_3": 1},
    "waiting_for_profile": 0,
    "suppressed": 0,
    "limits_status": {
        "profile_1": {"hourly": "45/50", "daily": "320/500"},
        "profile_2": {"hourly": "12/50", "daily": "89/500"},
        "profile_3": {"hourly": "22/50", "daily": "156/500"},
    },
}
