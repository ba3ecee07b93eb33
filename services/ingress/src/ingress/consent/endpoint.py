"""Consent lists: the HTTP endpoints of suppressions (of a package, of all packages) and of opt-ins."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from ingress.configuration.config_cache import IngressConfigCache
from ingress.consent.consent_lists import Consents, Scope
from ingress.core.phone_list import InvalidRow, PhoneRow, header_column, read_rows
from ingress.http import request_body
from ingress.http.openapi import describe
from ingress.http.pagination import Page, PathId, page_answer
from ingress.http.responses import Answer
from ingress.http.urls import API
from spreader.contract.events import EVERYWHERE, ConsentKind
from spreader.contract.ids import RECIPIENT_PATTERN, PhoneNumber
from spreader.http.problems import not_found

RECIPIENTS_MAX = 10_000
BODY_BYTES_MAX = 512 * 1024
CSV_BYTES_MAX = 64 * 1024 * 1024
ROWS_AT_ONCE = 5_000
ERRORS_SHOWN_MAX = 100


class Recipients(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    recipients: Annotated[tuple[PhoneNumber, ...], Field(min_length=1, max_length=RECIPIENTS_MAX)]


_FORM = TypeAdapter(Recipients)
PathPhone = Annotated[str, Path(pattern=RECIPIENT_PATTERN)]
Filter = Annotated[str | None, Query(pattern=RECIPIENT_PATTERN, description="Only this number, if it is on the list.")]


@dataclass
class Imported:
    """How an import goes."""

    rows: int = 0
    added: int = 0
    wrong: int = 0
    errors: list[InvalidRow] = field(default_factory=list[InvalidRow])

    def sort(self, rows: Sequence[PhoneRow | InvalidRow]) -> list[str]:
        """Count these rows, and answer the numbers among them."""
        wrong = [row for row in rows if isinstance(row, InvalidRow)]
        self.rows += len(rows)
        self.wrong += len(wrong)
        self.errors += wrong[: ERRORS_SHOWN_MAX - len(self.errors)]
        return [row.recipient for row in rows if isinstance(row, PhoneRow)]

    def shown(self) -> dict[str, Any]:
        errors = [{"line": row.line, "code": row.code, "detail": row.detail} for row in self.errors]
        already = self.rows - self.wrong - self.added
        return {"rows": self.rows, "added": self.added, "already": already, "wrong": self.wrong, "errors": errors}


@dataclass(frozen=True, slots=True)
class ConsentLists:
    consents: Consents
    configured: IngressConfigCache

    async def suppress(self, package_id: PathId, request: Request) -> Response:
        return await self._add(self._of(package_id, "suppression"), request)

    async def suppressions(self, package_id: PathId, page: Page, recipient: Filter = None) -> Response:
        return await self._page(self._of(package_id, "suppression"), page, recipient)

    async def lift(self, package_id: PathId, recipient: PathPhone) -> Response:
        return await self._lift(self._of(package_id, "suppression"), recipient)

    async def import_suppressions(self, package_id: PathId, request: Request) -> Response:
        return await self._import(self._of(package_id, "suppression"), request)

    async def suppress_everywhere(self, request: Request) -> Response:
        return await self._add(_ALL, request)

    async def suppressions_everywhere(self, page: Page, recipient: Filter = None) -> Response:
        return await self._page(_ALL, page, recipient)

    async def lift_everywhere(self, recipient: PathPhone) -> Response:
        return await self._lift(_ALL, recipient)

    async def import_everywhere(self, request: Request) -> Response:
        return await self._import(_ALL, request)

    async def opt_in(self, package_id: PathId, request: Request) -> Response:
        return await self._add(self._of(package_id, "opt_in"), request)

    async def opt_ins(self, package_id: PathId, page: Page, recipient: Filter = None) -> Response:
        return await self._page(self._of(package_id, "opt_in"), page, recipient)

    async def take_back(self, package_id: PathId, recipient: PathPhone) -> Response:
        return await self._lift(self._of(package_id, "opt_in"), recipient)

    async def import_opt_ins(self, package_id: PathId, request: Request) -> Response:
        return await self._import(self._of(package_id, "opt_in"), request)

    def _of(self, package_id: str, kind: ConsentKind) -> Scope:
        return Scope(self.configured.require_package(package_id).package_id, kind)

    async def _add(self, scope: Scope, request: Request) -> Response:
        form = request_body.parsed(_FORM, await request_body.read(request, BODY_BYTES_MAX))
        recipients = tuple(dict.fromkeys(form.recipients))
        added = await self.consents.add(scope, recipients, "api")
        return Answer(200, {**_named(scope), "added": added, "already": len(recipients) - added}).response()

    async def _page(self, scope: Scope, page: Page, recipient: str | None) -> Response:
        rows = await self.consents.page(scope, page.after or "", page.read_limit, recipient)
        shown = [
            {"recipient": row.recipient, "since": row.since, "source": row.source, "evidence": row.evidence}
            for row in rows
        ]
        return page_answer(page, [row.recipient for row in rows], shown).response()

    async def _lift(self, scope: Scope, recipient: str) -> Response:
        if not await self.consents.lift(scope, recipient):
            raise not_found(f"{scope.kind} of", recipient)
        return Response(status_code=204)

    async def _import(self, scope: Scope, request: Request) -> Response:
        """Piece by piece: what was read before a connection broke is on the list, and a repeat does no harm."""
        done, line, column = Imported(), 1, None
        async for piece in request_body.lines(request, CSV_BYTES_MAX, ROWS_AT_ONCE):
            if line == 1 and piece:
                column = header_column(piece[0])
            skipped = 1 if line == 1 and column is not None else 0
            named = done.sort(list(read_rows(piece[skipped:], line + skipped, column)))
            if named:
                done.added += await self.consents.add(scope, named, "csv")
            line += len(piece)
        return Answer(200, {**_named(scope), **done.shown()}).response()

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=API, tags=["consent"])
        package = "/packages/{package_id}"
        _describe(router, package + "/suppressions", "Suppressions", "a package's suppressions",
                  (self.suppress, self.suppressions, self.lift, self.import_suppressions))  # fmt: skip
        _describe(router, "/suppressions", "SuppressionsEverywhere", "the suppressions of all packages",
                  (self.suppress_everywhere, self.suppressions_everywhere, self.lift_everywhere,
                   self.import_everywhere))  # fmt: skip
        _describe(router, package + "/opt-ins", "OptIns", "a package's opt-ins",
                  (self.opt_in, self.opt_ins, self.take_back, self.import_opt_ins))  # fmt: skip
        return router


_ALL = Scope(EVERYWHERE, "suppression")


def _named(scope: Scope) -> dict[str, str]:
    return {"package_id": scope.package_id}


def _describe(router: APIRouter, path: str, name: str, noun: str, endpoints: Sequence[Any]) -> None:
    add, page, lift, take = endpoints
    describe(router, "POST", path, add, f"add{name}", f"Add numbers to {noun}", body=Recipients, example=EXAMPLE,
             answer=ADDED, problems=(400, 404, 413, 422, 503))  # fmt: skip
    describe(router, "GET", path, page, f"list{name}", f"List {noun}", answer=PAGE, problems=(400, 404, 422))
    describe(router, "POST", path + "/import", take, f"import{name}", f"Add numbers from a CSV file to {noun}",
             csv=CSV, answer=IMPORTED, problems=(400, 404, 413, 422, 503))  # fmt: skip
    describe(router, "DELETE", path + "/{recipient}", lift, f"lift{name}", f"Take a number off {noun}", status=204,
             problems=(404, 503))  # fmt: skip


EXAMPLE: dict[str, Any] = {"recipients": ["201001234567", "201001234568"]}
ADDED: dict[str, Any] = {"package_id": "pkg_orders", "added": 2, "already": 0}
CSV = "phone,name\n201001234567,Mona\n+20 100 123 4568,Omar\n"
PAGE: dict[str, Any] = {
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
IMPORTED: dict[str, Any] = {
    "package_id": "pkg_orders",
    "rows": 3,
    "added": 1,
    "already": 1,
    "wrong": 1,
    "errors": [{"line": 4, "code": "phone_number", "detail": "a phone number is 7 to 15 digits in international form"}],
}
