"""Recipient endpoint: what is known about a person, and the erasure of a person."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request, Response
from pydantic import TypeAdapter
from typing_extensions import TypedDict

from ingress.core.status import STATUSES
from ingress.http import request_body
from ingress.http.openapi import add_route
from ingress.http.request_body import RequestForm
from ingress.http.responses import ApiResponse
from ingress.http.urls import API
from ingress.privacy.erasures import SERVICES, Erasures, RecordedErasure
from ingress.privacy.person import KnownPerson, PersonBody
from spreader.contract.ids import ERASED, RECIPIENT_PATTERN
from spreader.http.problems import not_found

BODY_BYTES_MAX = 4 * 1024
RECORDS_KEPT = timedelta(days=7, hours=12)
"""After this time at the latest, Kafka has removed a record of a topic that is not compacted
(`spreader.kafka.topics`)."""
MESSAGE_IDS_KEPT = timedelta(days=15)
"""Stats forgets the id of a customer's message after this time (docs/retention.md)."""

Status = Literal["in_progress", "done"]
PathPhone = Annotated[str, Path(pattern=RECIPIENT_PATTERN)]


class EraseForm(RequestForm):
    keep_suppression: bool = True


_ERASE = TypeAdapter(EraseForm)


class ServiceErasure(TypedDict):
    """`rows`: how many rows of each table the service deleted or changed. `done_at` is null until the service has
    finished."""

    done_at: datetime | None
    rows: dict[str, int]


class LeftToTime(TypedDict):
    """Data that no erasure can remove, because only time removes it. `until`: when the data will be gone. It is null if
    Spreader does not know."""

    what: str
    until: datetime | None


class ErasureBody(TypedDict):
    """An erasure of a person: when it was requested, by whom, and what each service removed."""

    erasure_id: str
    status: Status
    at: datetime
    done_at: datetime | None
    asked_by: str | None
    keep_suppression: bool
    services: dict[str, ServiceErasure]
    left_to_time: list[LeftToTime]


class BegunBody(ErasureBody):
    recipient: str


class RecipientBody(PersonBody):
    """`erasure`: the newest erasure of the person. It is null if there was none."""

    erasure: ErasureBody | None


@dataclass(frozen=True, slots=True)
class RecipientEndpoint:
    person: KnownPerson
    erasures: Erasures

    async def get(self, recipient: PathPhone) -> Response:
        _require_person(recipient)
        newest = await self.erasures.newest(recipient)
        known = await self.person.describe(recipient)
        body: RecipientBody = {**known, "erasure": None if newest is None else erasure_body(newest)}
        return ApiResponse(200, body).render()

    async def erase(self, recipient: PathPhone, request: Request) -> Response:
        _require_person(recipient)
        raw = await request_body.read(request, BODY_BYTES_MAX)
        form = request_body.parse(_ERASE, raw) if raw.strip() else EraseForm()
        erasure = await self.erasures.begin(recipient, form.keep_suppression)
        body: BegunBody = {"recipient": recipient, **erasure_body(erasure)}
        return ApiResponse(202, body).render()

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=f"{API}/recipients", tags=["privacy"])
        add_route(
            router,
            "GET",
            "/{recipient}",
            self.get,
            "getRecipient",
            "What is known about a person",
            shape=RecipientBody,
            response=RECIPIENT_EXAMPLE,
            problems=(404, 503),
        )
        add_route(
            router,
            "POST",
            "/{recipient}/erase",
            self.erase,
            "eraseRecipient",
            "Erase a person",
            status=202,
            body=EraseForm,
            example=ERASE_EXAMPLE,
            shape=BegunBody,
            response={"recipient": "201001234567", **BEGUN_EXAMPLE},
            problems=(400, 404, 413, 422, 503),
        )
        return router


def _require_person(recipient: str) -> None:
    """Raises the problem `not-found` for the number that takes the place of erased numbers, because no person has
    it."""
    if recipient == ERASED:
        raise not_found("recipient", recipient)


def erasure_body(erasure: RecordedErasure) -> ErasureBody:
    reports = {report.service: report for report in erasure.reports}
    stored = erasure.stored
    return {
        "erasure_id": stored.erasure_id,
        "status": "done" if erasure.is_done else "in_progress",
        "at": stored.at,
        "done_at": erasure.done_at,
        "asked_by": stored.asked_by,
        "keep_suppression": stored.keep_suppression,
        "services": {
            service: {"done_at": reports[service].at, "rows": dict(reports[service].rows)}
            if service in reports
            else {"done_at": None, "rows": {}}
            for service in SERVICES
        },
        "left_to_time": [
            {"what": RECORDS, "until": (erasure.done_at or stored.at) + RECORDS_KEPT},
            {"what": MESSAGE_IDS, "until": stored.at + MESSAGE_IDS_KEPT},
            {"what": BACKUPS, "until": None},
        ],
    }


RECORDS = "records in Kafka's topics"
MESSAGE_IDS = "message ids in stats: the Cloud API makes them from the person's phone number"
BACKUPS = "your backups, and what WhatsApp and the gateways keep"
ERASE_EXAMPLE: dict[str, Any] = {"keep_suppression": True}
BEGUN_EXAMPLE: dict[str, Any] = {
    "erasure_id": "ers_0cq7f3k9a2b8d4e6g1h5j7m3n9",
    "status": "in_progress",
    "at": "2024-02-10T10:00:00Z",
    "done_at": None,
    "asked_by": "mona",
    "keep_suppression": True,
    "services": {service: {"done_at": None, "rows": {}} for service in SERVICES},
    "left_to_time": [
        {"what": RECORDS, "until": "2024-02-17T22:00:00Z"},
        {"what": MESSAGE_IDS, "until": "2024-02-25T10:00:00Z"},
        {"what": BACKUPS, "until": None},
    ],
}
RECIPIENT_EXAMPLE: dict[str, Any] = {
    "recipient": "201001234567",
    "suppressions": [{"package_id": "pkg_orders", "since": "2024-02-08T18:46:00Z", "source": "opt_out_word"}],
    "opt_ins": [],
    "possible_opt_outs": [],
    "hidden_ids": [{"profile_id": "profile_2", "hidden_id": "199887766554433@lid"}],
    "deliveries": {
        "total": 3,
        "counts": {**dict.fromkeys(STATUSES, 0), "read": 2, "suppressed": 1},
        "first_at": "2024-02-08T18:45:12Z",
        "last_at": "2024-02-09T10:00:02Z",
    },
    "conversations": [
        {
            "conversation_id": "conv_3c08u7j4800bgdm2i2i6fk70vc",
            "package_id": "pkg_orders",
            "profile_id": "profile_2",
            "customer_at": "2024-02-08T18:46:00Z",
            "sent_at": "2024-02-08T18:45:14Z",
        }
    ],
    "reading": [{"package_id": "pkg_orders", "timezone": "Africa/Cairo", "best_hour": 18, "hours": {"18": 2, "19": 1}}],
    "unavailable": {},
    "erasure": None,
}
