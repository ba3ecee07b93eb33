"""Evolution message endpoint: shows the newest messages of an instance, in Evolution's format."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from simulator.accounts import AccountRegistry
from simulator.dialects.evolution import sent_message
from simulator.dialects.linked_forms import error_texts
from simulator.endpoints.evolution import error_response, evolution_account
from simulator.endpoints.problems import GatewayErrorResponse
from simulator.gateway import SimulatedGateway


class MessageKey(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, alias_generator=to_camel)

    id: str | None = None
    from_me: bool | None = None
    remote_jid: str | None = None


class MessageTimes(BaseModel):
    """Both times count, or none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gte: datetime | None = None
    lte: datetime | None = None

    def contain(self, seconds: int) -> bool:
        if self.gte is None or self.lte is None:
            return True
        return int(self.gte.timestamp()) <= seconds <= int(self.lte.timestamp())


class MessageFilter(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)

    key: MessageKey = MessageKey()
    message_timestamp: MessageTimes = MessageTimes()

    def fits(self, message: Mapping[str, Any]) -> bool:
        wanted = self.key.model_dump(by_alias=True, exclude_none=True)
        return self.message_timestamp.contain(message["messageTimestamp"]) and wanted.items() <= message["key"].items()


class MessageQuery(BaseModel):
    """`offset` is the size of a page."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    where: MessageFilter = MessageFilter()
    offset: int = Field(default=50, ge=1)
    page: int = Field(default=1, ge=1)

    def page_of(self, messages: list[dict[str, Any]]) -> dict[str, Any]:
        first = self.offset * (self.page - 1)
        records = messages[first : first + self.offset]
        pages = math.ceil(len(messages) / self.offset)
        return {"messages": {"total": len(messages), "pages": pages, "currentPage": self.page, "records": records}}


def evolution_message_routes(gateway: SimulatedGateway, accounts: AccountRegistry) -> APIRouter:
    routes = APIRouter(prefix="/evolution/chat", include_in_schema=False)

    @routes.post("/findMessages/{instance}")
    async def find_messages(instance: str, request: Request) -> JSONResponse:
        account = evolution_account(accounts, instance, request)
        try:
            query = MessageQuery.model_validate_json(await request.body())
        except ValidationError as error:
            raise GatewayErrorResponse(error_response(400, error_texts(error))) from None
        shown = [sent_message(account, sent) for sent in gateway.shown_messages.of(account.key)]
        return JSONResponse(query.page_of([message for message in shown if query.where.fits(message)]))

    return routes
