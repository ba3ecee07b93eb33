"""Possible opt-outs endpoint: the list of a package, and the two decisions about an entry."""

from dataclasses import asdict, dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from ingress.configuration.config_cache import IngressConfigCache
from ingress.consent.possible_opt_outs import PossibleOptOuts
from ingress.http.dialled_numbers import dialled_number
from ingress.http.openapi import add_route
from ingress.http.pagination import PageParameters, PathId, page_response
from ingress.http.urls import API
from ingress.sql.possible_opt_outs import PossibleOptOut
from spreader.contract.ids import RECIPIENT_PATTERN
from spreader.http.openapi import PageBody
from spreader.http.problems import not_found

PathPhone = Annotated[str, Path(pattern=RECIPIENT_PATTERN)]


@dataclass(frozen=True, slots=True)
class PossibleOptOutsEndpoint:
    possible: PossibleOptOuts
    config_cache: IngressConfigCache

    async def page(self, package_id: PathId, page_request: PageParameters) -> Response:
        package_id = self.config_cache.require_package(package_id).package_id
        entries = await self.possible.page(package_id, page_request.after or "", page_request.read_limit)
        rows = [asdict(entry) for entry in entries]
        return page_response(page_request, [entry.recipient for entry in entries], rows).render()

    async def suppress(self, package_id: PathId, recipient: PathPhone) -> Response:
        package, dialled = self._named(package_id, recipient)
        if not await self.possible.suppress(package, dialled):
            raise not_found("possible opt-out of", recipient)
        return Response(status_code=204)

    async def dismiss(self, package_id: PathId, recipient: PathPhone) -> Response:
        package, dialled = self._named(package_id, recipient)
        if not await self.possible.dismiss(package, dialled):
            raise not_found("possible opt-out of", recipient)
        return Response(status_code=204)

    def _named(self, package_id: str, recipient: str) -> tuple[str, str]:
        """The package, and the number in international form."""
        package = self.config_cache.require_package(package_id)
        return package.package_id, dialled_number(recipient, package.default_country, "/path/recipient")

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=API, tags=["consent"])
        path = "/packages/{package_id}/possible-opt-outs"
        add_route(
            router,
            "GET",
            path,
            self.page,
            "listPossibleOptOuts",
            "List people whose messages probably ask for no more messages",
            shape=PageBody[PossibleOptOut],
            response=EXAMPLE,
            problems=(400, 404, 422),
        )
        decisions = (
            ("suppress", self.suppress, "suppressPossibleOptOut", "Suppress such a person"),
            ("dismiss", self.dismiss, "dismissPossibleOptOut", "Take such a person off the list"),
        )
        for decision, endpoint, operation_id, summary in decisions:
            decision_path = f"{path}/{{recipient}}/{decision}"
            problems = (404, 422, 503)
            add_route(router, "POST", decision_path, endpoint, operation_id, summary, status=204, problems=problems)
        return router


EXAMPLE: dict[str, Any] = {
    "data": [
        {
            "recipient": "201001234567",
            "profile_id": "profile_1",
            "text": "Stop. Thank you",
            "at": "2024-02-08T18:46:00Z",
        }
    ],
    "next_cursor": None,
}
