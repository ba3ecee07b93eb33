"""Open messages: the call that opens conversations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response

from ingress.configuration.config_cache import IngressConfigCache
from ingress.core.limits import limits_status
from ingress.core.open_messages import RoutingSummary, split_recipients, sum_routing, without_repeats
from ingress.http.openapi import describe
from ingress.http.responses import Answer
from ingress.http.urls import API
from ingress.infra.service_client import ServiceClient
from ingress.messages.callbacks import Asking
from ingress.messages.forecast import Forecast, forecast, question
from ingress.messages.intake import Accepting
from ingress.messages.schemas import OpenMessage, content_of
from ingress.metrics import ACCEPT_SECONDS, ACCEPTED, UNROUTED
from ingress.sql.status import AcceptedMessage
from ingress.status.projection import StatusProjection
from spreader.clock import Now
from spreader.contract.configuration import Package
from spreader.contract.events import RECIPIENTS_PER_RECORD_MAX, Callback, MessageRouted, OpenMessageRequested
from spreader.kafka.bus import Bus
from spreader.kafka.envelope import encode
from spreader.telemetry.tracing import here

_ACCEPTED, _ACCEPT_SECONDS, _UNROUTED = ACCEPTED.labels("open"), ACCEPT_SECONDS.labels("open"), UNROUTED.labels("open")


@dataclass(frozen=True, slots=True)
class OpenMessages:
    accepting: Accepting[OpenMessage]
    bus: Bus
    configured: IngressConfigCache
    asking: Asking
    view: StatusProjection
    pacer: ServiceClient
    now: Now
    wake_relay: Callable[[], None]
    routed_wait_seconds: float
    forecast_wait_seconds: float

    async def accept(self, package_id: str, request: Request) -> Response:
        return await self.accepting.accept(package_id, request, self._send)

    async def _send(self, package: Package, form: OpenMessage, message_id: str, waits: bool) -> Answer:
        recipients = without_repeats(form.recipients)
        events = self._events(package, form, message_id, recipients, waits)
        before = self.configured.states_of(package)  # while the answer is made some of it may be sent and counted
        if waits:
            with self.asking.waiters.expect(message_id, len(events)) as waiter:
                await self._publish(events)
                routed = _routed(await waiter.answers(self.routed_wait_seconds))
        else:
            await self._publish(events)
            routed = None
        body = {
            "message_id": message_id,
            "status": "queued",
            "recipients": len(recipients),
            "duplicates_removed": len(form.recipients) - len(recipients),
        }
        profile_ids = routed.distribution if routed and routed.distribution else package.profile_ids
        status = {"limits_status": limits_status(package, before, profile_ids)}
        outlook = await self._outlook(package, form, message_id, recipients, routed, waits)
        return Answer(202, {**body, **outlook, **status})

    def _events(
        self, package: Package, form: OpenMessage, message_id: str, recipients: tuple[str, ...], waits: bool
    ) -> list[OpenMessageRequested]:
        content, now, traceparent = content_of(form), self.now(), here()
        total = len(recipients) if len(recipients) > RECIPIENTS_PER_RECORD_MAX else None
        return [
            OpenMessageRequested.model_construct(  # all of it was validated with the form
                traceparent=traceparent,
                package_id=package.package_id,
                message_id=message_id,
                content=content,
                recipients=piece,
                first_index=first_index,
                total=total,
                distribution=form.distribution,
                options=form.options,
                requested_at=now,
                package_version=package.version,
                callback_partition=self.asking.partition if waits else None,
            )
            for first_index, piece in split_recipients(recipients, RECIPIENTS_PER_RECORD_MAX)
        ]

    async def _publish(self, events: list[OpenMessageRequested]) -> None:
        """One record is atomic by itself; several go through the outbox, all or none."""
        with _ACCEPT_SECONDS.time():
            if len(events) == 1:
                await self.bus.publish(events[0])
            else:
                await self._store(events)
        _ACCEPTED.inc(sum(len(event.recipients) for event in events))

    async def _store(self, events: list[OpenMessageRequested]) -> None:
        first = events[0]
        message = AcceptedMessage(
            message_id=first.message_id,
            package_id=first.package_id,
            lane="open",
            kind=first.content.type,
            recipients=first.total or 0,
            accepted_at=first.requested_at,
            traceparent=first.traceparent,
        )
        await self.view.accept_large(message, [encode(event, "ingress", self.now()) for event in events])
        self.wake_relay()

    async def _outlook(
        self,
        package: Package,
        form: OpenMessage,
        message_id: str,
        recipients: tuple[str, ...],
        routed: RoutingSummary | None,
        waits: bool,
    ) -> dict[str, Any]:
        """What the caller may expect: who sends how much, and until when."""
        if routed is None:
            why = "the router has not answered yet" if waits else "not waited for, as `Prefer: respond-async` asks"
            foreseen, extra = Forecast(None, why), {"distribution_note": why}
        else:
            asked = question(package.package_id, routed.distribution, form.options, recipients, message_id)
            foreseen = await forecast(self.pacer, asked, self.forecast_wait_seconds)
            extra = {"rejected": routed.rejected, "rejected_reasons": routed.reasons} if routed.rejected else {}
        note = {"estimated_completion_note": foreseen.note} if foreseen.note else {}
        return {
            "estimated_completion": foreseen.completion,
            "distribution": None if routed is None else routed.distribution,
            "suppressed": None if routed is None else routed.suppressed,
            **note,
            **extra,
        }

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=f"{API}/packages/{{package_id}}/messages", tags=["messages"])
        describe(
            router, "POST", "/open", self.accept, "sendOpenMessage", "Open conversations: paced, limited, distributed",
            status=202, body=OpenMessage, examples=EXAMPLES, answer=ANSWER, idempotent=True, direct=True,
            problems=(400, 404, 409, 413, 422, 503),
        )  # fmt: skip
        return router


def _routed(answers: Sequence[Callback] | None) -> RoutingSummary | None:
    if answers is None:
        _UNROUTED.inc()
        return None
    return sum_routing(each for each in answers if isinstance(each, MessageRouted))


EXAMPLES: dict[str, dict[str, Any]] = {
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
ANSWER: dict[str, Any] = {
    "message_id": "msg_abc123",
    "status": "queued",
    "recipients": 3,
    "duplicates_removed": 0,
    "estimated_completion": "2024-02-10T10:15:00Z",
    "distribution": {"profile_1": 1, "profile_2": 1, "profile_3": 1},
    "suppressed": 0,
    "limits_status": {
        "profile_1": {"hourly": "45/50", "daily": "320/500"},
        "profile_2": {"hourly": "12/50", "daily": "89/500"},
        "profile_3": {"hourly": "22/50", "daily": "156/500"},
    },
}
