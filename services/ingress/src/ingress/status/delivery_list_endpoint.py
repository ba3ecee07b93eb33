"""Delivery list endpoint: the deliveries of all messages, newest first, filtered."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from fastapi import APIRouter, Response

from ingress.http.filters import (
    Failures,
    From,
    MessageIds,
    PackageIds,
    ProfileIds,
    Recipients,
    Statuses,
    To,
    given,
    several,
)
from ingress.http.openapi import add_route
from ingress.http.pagination import PageParameters, page_response
from ingress.http.positions import before, position
from ingress.http.responses import with_optional_key
from ingress.http.urls import API
from ingress.sql.status import ShownDelivery
from ingress.status.delivery_endpoint import DELIVERY_EXAMPLE
from ingress.status.projection import StatusProjection
from spreader.http.openapi import PageBody
from spreader.phone.canonical import spellings


@dataclass(frozen=True, slots=True)
class DeliveryListEndpoint:
    projection: StatusProjection

    async def list(
        self,
        page_request: PageParameters,
        recipient: Recipients = None,
        message_id: MessageIds = None,
        package_id: PackageIds = None,
        profile_id: ProfileIds = None,
        status: Statuses = None,
        failure: Failures = None,
        begin: From = None,
        to: To = None,
    ) -> Response:
        filters = given(
            recipients=_spellings(several(recipient)),
            message_ids=several(message_id),
            package_ids=several(package_id),
            profile_ids=several(profile_id),
            statuses=several(status),
            failures=several(failure),
            accepted_from=begin,
            accepted_to=to,
            **before(page_request.after),
        )
        rows = await self.projection.deliveries(filters, page_request.read_limit)
        positions = [position(row.accepted_at, row.delivery_id) for row in rows]
        return page_response(page_request, positions, [with_optional_key(asdict(row)) for row in rows]).render()

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=f"{API}/deliveries", tags=["messages"])
        add_route(
            router,
            "GET",
            "",
            self.list,
            "searchDeliveries",
            "Deliveries of all messages, newest first",
            shape=PageBody[ShownDelivery],
            response={"data": [DELIVERY_EXAMPLE], "next_cursor": None},
            problems=(400, 422),
        )
        return router


def _spellings(numbers: Sequence[str] | None) -> Sequence[str] | None:
    """All numbers by which the gateways may know these people."""
    return None if numbers is None else [spelling for number in numbers for spelling in spellings(number)]
