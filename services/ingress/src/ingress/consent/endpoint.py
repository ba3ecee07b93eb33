"""Consent endpoint: the lists of suppressions and of opt-ins. Suppressions are for one package or for all packages."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from typing_extensions import TypedDict

from ingress.configuration.config_cache import IngressConfigCache
from ingress.consent.consent_lists import ConsentListKey, ConsentLists
from ingress.consent.import_result import ImportBody, ImportResult
from ingress.consent.received_list import received_list
from ingress.consent.schemas import RecipientsForm, read_recipients
from ingress.core.phone_list import InvalidRow, ListFormat, PhoneRow, UnclearColumn, find_format, read_rows
from ingress.core.recipient_parts import PART_MAX
from ingress.http.dialled_numbers import dialled_number
from ingress.http.large_bodies import LargeBodies
from ingress.http.openapi import add_route
from ingress.http.pagination import PageParameters, PathId, page_response
from ingress.http.problems import COLUMN_UNCLEAR
from ingress.http.responses import ApiResponse, with_optional_key
from ingress.http.urls import API
from ingress.sql.consent import ConsentListEntry
from spreader.contract.events import EVERYWHERE, ConsentKind
from spreader.contract.ids import RECIPIENT_PATTERN
from spreader.http.openapi import PageBody
from spreader.http.problems import Problem, invalid, not_found
from spreader.phone.text_rows import FileRow

BODY_BYTES_MAX = 512 * 1024
FILE_BYTES_MAX = 64 * 1024 * 1024
PathPhone = Annotated[str, Path(pattern=RECIPIENT_PATTERN)]
Filter = Annotated[str | None, Query(pattern=RECIPIENT_PATTERN, description="Only this number, if it is on the list.")]

Column = Annotated[
    str | None,
    Query(max_length=200, description="The column with the phone numbers: its name, or its number from 1."),
]


class AddedBody(TypedDict):
    """How many numbers were added, and how many were on the list already. `package_id` is `*` for all packages."""

    package_id: str
    added: int
    already: int


@dataclass(frozen=True, slots=True)
class ConsentEndpoint:
    lists: ConsentLists
    bodies: LargeBodies
    config_cache: IngressConfigCache

    async def add_suppressions(self, package_id: PathId, request: Request) -> Response:
        return await self._add(self._key(package_id, "suppression"), request)

    async def list_suppressions(
        self, package_id: PathId, page_request: PageParameters, recipient: Filter = None
    ) -> Response:
        return await self._page(self._key(package_id, "suppression"), page_request, recipient)

    async def lift_suppression(self, package_id: PathId, recipient: PathPhone) -> Response:
        return await self._remove(self._key(package_id, "suppression"), recipient)

    async def import_suppressions(self, package_id: PathId, request: Request, column: Column = None) -> Response:
        return await self._import(self._key(package_id, "suppression"), request, column)

    async def add_suppressions_everywhere(self, request: Request) -> Response:
        return await self._add(_ALL_PACKAGES, request)

    async def list_suppressions_everywhere(self, page_request: PageParameters, recipient: Filter = None) -> Response:
        return await self._page(_ALL_PACKAGES, page_request, recipient)

    async def lift_suppression_everywhere(self, recipient: PathPhone) -> Response:
        return await self._remove(_ALL_PACKAGES, recipient)

    async def import_suppressions_everywhere(self, request: Request, column: Column = None) -> Response:
        return await self._import(_ALL_PACKAGES, request, column)

    async def add_opt_ins(self, package_id: PathId, request: Request) -> Response:
        return await self._add(self._key(package_id, "opt_in"), request)

    async def list_opt_ins(
        self, package_id: PathId, page_request: PageParameters, recipient: Filter = None
    ) -> Response:
        return await self._page(self._key(package_id, "opt_in"), page_request, recipient)

    async def remove_opt_in(self, package_id: PathId, recipient: PathPhone) -> Response:
        return await self._remove(self._key(package_id, "opt_in"), recipient)

    async def import_opt_ins(self, package_id: PathId, request: Request, column: Column = None) -> Response:
        return await self._import(self._key(package_id, "opt_in"), request, column)

    def _key(self, package_id: str, kind: ConsentKind) -> ConsentListKey:
        return ConsentListKey(self.config_cache.require_package(package_id).package_id, kind)

    def _country(self, key: ConsentListKey) -> str | None:
        """The country whose national numbers are completed. None for the list of all packages."""
        package = self.config_cache.package(key.package_id)
        return package and package.default_country

    async def _add(self, key: ConsentListKey, request: Request) -> Response:
        advice = "Send the numbers in several requests, or import them as a CSV file."
        recipients = await self.bodies.read(
            request, BODY_BYTES_MAX, partial(read_recipients, country=self._country(key)), advice
        )
        if isinstance(recipients, Problem):
            raise recipients
        added = 0
        for part in recipients:
            added += await self.lists.add(key, part, "api")
        body: AddedBody = {"package_id": key.package_id, "added": added, "already": recipients.count - added}
        return ApiResponse(200, body).render()

    async def _page(self, key: ConsentListKey, page_request: PageParameters, recipient: str | None) -> Response:
        if recipient is not None:
            recipient = dialled_number(recipient, self._country(key), "/query/recipient")
        entries = await self.lists.page(key, page_request.after or "", page_request.read_limit, recipient)
        return page_response(
            page_request,
            [entry.recipient_key or entry.recipient for entry in entries],
            [with_optional_key(asdict(entry)) for entry in entries],
        ).render()

    async def _remove(self, key: ConsentListKey, recipient: str) -> Response:
        """Removes the number as the caller wrote it, or else in international form. An older version of the ingress put
        numbers without a country's code on the list, and some may still be there."""
        if await self.lists.remove(key, recipient):
            return Response(status_code=204)
        dialled = dialled_number(recipient, self._country(key), "/path/recipient")
        if dialled == recipient or not await self.lists.remove(key, dialled):
            raise not_found(f"{key.kind} of", dialled)
        return Response(status_code=204)

    async def _import(self, key: ConsentListKey, request: Request, chosen_column: str | None) -> Response:
        """Stores the rows of a file in parts, as soon as the whole file has arrived."""
        country, result = self._country(key), ImportResult()
        async with received_list(request, FILE_BYTES_MAX) as received:
            list_format = _format([row.cells for row in received.first], chosen_column, country)
            async for rows in received.batches(list_format.first_row, PART_MAX):
                recipients = result.count(await asyncio.to_thread(_read, rows, list_format, country))
                if recipients:
                    result.added += await self.lists.add(key, recipients, "csv")
        return ApiResponse(200, {"package_id": key.package_id, **result.body()}).render()

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=API, tags=["consent"])
        package = "/packages/{package_id}"
        _add_routes(
            router,
            package + "/suppressions",
            "Suppressions",
            "a package's suppressions",
            (self.add_suppressions, self.list_suppressions, self.lift_suppression, self.import_suppressions),
        )
        _add_routes(
            router,
            "/suppressions",
            "SuppressionsEverywhere",
            "the suppressions of all packages",
            (
                self.add_suppressions_everywhere,
                self.list_suppressions_everywhere,
                self.lift_suppression_everywhere,
                self.import_suppressions_everywhere,
            ),
        )
        _add_routes(
            router,
            package + "/opt-ins",
            "OptIns",
            "a package's opt-ins",
            (self.add_opt_ins, self.list_opt_ins, self.remove_opt_in, self.import_opt_ins),
        )
        return router


def _read(rows: Sequence[FileRow], list_format: ListFormat, country: str | None) -> list[PhoneRow | InvalidRow]:
    return list(read_rows(rows, list_format, country))


def _format(first_rows: Sequence[Sequence[str]], chosen_column: str | None, country: str | None) -> ListFormat:
    """Raises the problem `column-unclear`, or `invalid` if the chosen column is missing."""
    try:
        found = find_format(first_rows, chosen_column, country)
    except LookupError:
        raise invalid("/query/column", "missing", "the file has no such column") from None
    if isinstance(found, UnclearColumn):
        detail = "Several columns may have the phone numbers. Nothing was changed. Choose a column: ?column=NAME."
        raise Problem(COLUMN_UNCLEAR, detail, more={"columns": [asdict(column) for column in found.columns]})
    return found


_ALL_PACKAGES = ConsentListKey(EVERYWHERE, "suppression")


def _add_routes(router: APIRouter, path: str, name: str, noun: str, endpoints: Sequence[Any]) -> None:
    """Add the four routes of one list. `noun` is the list in words. `endpoints` has the functions that add, list, lift
    and import, in this order."""
    add, page, lift, import_file = endpoints
    add_route(
        router,
        "POST",
        path,
        add,
        f"add{name}",
        f"Add numbers to {noun}",
        body=RecipientsForm,
        example=RECIPIENTS_EXAMPLE,
        shape=AddedBody,
        response=ADDED_EXAMPLE,
        problems=(400, 404, 413, 422, 503),
    )
    add_route(
        router,
        "GET",
        path,
        page,
        f"list{name}",
        f"List {noun}",
        shape=PageBody[ConsentListEntry],
        response=PAGE_EXAMPLE,
        problems=(400, 404, 422),
    )
    add_route(
        router,
        "POST",
        path + "/import",
        import_file,
        f"import{name}",
        f"Add numbers from a CSV or XLSX file to {noun}",
        csv=CSV_EXAMPLE,
        shape=ImportBody,
        response=IMPORT_EXAMPLE,
        problems=(400, 404, 409, 413, 422, 503),
    )
    add_route(
        router,
        "DELETE",
        path + "/{recipient}",
        lift,
        f"lift{name}",
        f"Take a number off {noun}",
        status=204,
        problems=(404, 422, 503),
    )


RECIPIENTS_EXAMPLE: dict[str, Any] = {"recipients": ["201001234567", "201001234568"]}
ADDED_EXAMPLE: dict[str, Any] = {"package_id": "pkg_orders", "added": 2, "already": 0}
CSV_EXAMPLE = "phone,name\n201001234567,Mona\n+20 100 123 4568,Omar\n"
PAGE_EXAMPLE: dict[str, Any] = {
    "data": [
        {
            "recipient": "201001234567",
            "since": "2024-02-08T18:46:00Z",
            "source": "opt_out_word",
            "evidence": "profile_1/sim_18",
        }
    ],
    "next_cursor": None,
}
IMPORT_EXAMPLE: dict[str, Any] = {
    "package_id": "pkg_orders",
    "rows": 3,
    "added": 1,
    "already": 1,
    "wrong": 1,
    "warnings": [],
    "errors": [{"line": 4, "code": "phone_number", "detail": "it has 5 digits: a phone number has 7 to 15"}],
}
