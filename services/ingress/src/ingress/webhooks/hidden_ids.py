"""Hidden ids: learns the phone numbers behind hidden ids. Until a number is known, the messages of its person are kept.

WhatsApp may name a person by an id that hides the number, such as `…@lid` or a user id of Meta. The ingress learns the
number in three ways. Some reports contain both the hidden id and the number. A receipt with a hidden id belongs to a
delivery, and the delivery has the number. Otherwise the sender asks the gateway.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.core.reports import (
    NUMBER_UNKNOWN,
    CustomerReport,
    EditedMessage,
    InboundMessage,
    MarketingPreference,
    UnexpectedMessage,
)
from ingress.metrics import HIDDEN_MESSAGES, WAITING_HIDDEN_MESSAGES
from ingress.sql import hidden_ids as sql
from ingress.sql.hidden_ids import HiddenMessage, HiddenMessageEntry
from ingress.webhooks.inbound_messages import InboundMessages
from ingress.webhooks.recent_numbers import RecentNumbers
from spreader.contract.ids import ERASED
from spreader.erasure.postgres import ErasureTable
from spreader.http.service_client import ServiceClient, ServiceUnavailable
from spreader.runtime.postgres import autocommit
from spreader.runtime.rows import fetched
from spreader.text.clean_text import clean

ERASURES = ErasureTable("ingress")
COUNT_EVERY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class HiddenIds:
    engine: AsyncEngine
    messages: InboundMessages
    sender: ServiceClient
    erasures: ErasureTable = ERASURES
    recent: RecentNumbers = field(default_factory=RecentNumbers)
    """The numbers that this process has learned recently. Because of them, most receipts need no database statement."""

    async def take(self, package_id: str, profile_id: str, hidden_id: str | None, report: CustomerReport) -> None:
        """Process a customer's report. The report may name the customer only by a hidden id. If the number behind the
        id is not known, the report is kept until the number is known."""
        if report.recipient != NUMBER_UNKNOWN:
            if hidden_id is not None and isinstance(report, InboundMessage):
                await self.learn(profile_id, hidden_id, report.recipient, report.at)
            await self.messages.take_report(package_id, profile_id, report)
        elif hidden_id is not None:
            number = await self._number(profile_id, hidden_id)
            number = number or await self._ask(package_id, profile_id, hidden_id, report.at)
            if number is None:
                await self._keep(package_id, profile_id, hidden_id, report)
            else:
                report = replace(report, recipient=clean(number))
                await self.messages.take_report(package_id, profile_id, report)

    async def learn(self, profile_id: str, hidden_id: str, number: str, at: datetime) -> None:
        """Store the number behind a hidden id, and process the messages that were kept under the id. `at`: the time of
        the report that led to the number."""
        key = profile_id, hidden_id
        if self.recent.get(key) == number or number == ERASED:
            return
        params = {"profile_id": profile_id, "hidden_id": hidden_id}
        async with autocommit(self.engine) as connection:
            known = {"recipient": number, "at": at, "erasure_keys": self.erasures.keys}
            await connection.execute(sql.LEARN, {**params, **known})
        await self._process_kept(profile_id, hidden_id, number)
        self.recent.put(key, number)

    async def page(self, package_id: str, after: tuple[str, str, str], limit: int) -> Sequence[HiddenMessageEntry]:
        """`after`: the profile, the hidden id and the message id of the last entry of the page before."""
        profile_id, hidden_id, message_id = after
        params = {"package_id": package_id, "profile_id": profile_id, "hidden_id": hidden_id, "limit": limit}
        async with self.engine.connect() as connection:
            rows = await connection.execute(sql.PAGE, {**params, "gateway_message_id": message_id})
            return fetched(HiddenMessageEntry, rows)

    async def _ask(self, package_id: str, profile_id: str, hidden_id: str, at: datetime) -> str | None:
        """Asks the gateway for the number, by way of the sender. Stores the number and returns it. Returns None if the
        gateway does not know the number, or if there is no answer."""
        query = {"package_id": package_id, "profile_id": profile_id, "hidden_id": hidden_id}
        response = await self.sender.query("/hidden-ids/number", query)
        number = None if response is None or isinstance(response, ServiceUnavailable) else response.get("number")
        if number is not None:
            await self.learn(profile_id, hidden_id, number, at)
        return number

    async def _number(self, profile_id: str, hidden_id: str) -> str | None:
        if (number := self.recent.get((profile_id, hidden_id))) is not None:
            return number
        async with autocommit(self.engine) as connection:
            rows = await connection.execute(sql.NUMBER, {"profile_id": profile_id, "hidden_id": hidden_id})
            return rows.scalar_one_or_none()

    async def _keep(self, package_id: str, profile_id: str, hidden_id: str, report: CustomerReport) -> None:
        message = _kept(package_id, profile_id, hidden_id, report)
        async with autocommit(self.engine) as connection:
            params = {name: getattr(message, name) for name in HiddenMessage.__dataclass_fields__}
            kept = await connection.execute(sql.KEEP, params)
        HIDDEN_MESSAGES.labels("kept").inc(kept.rowcount)
        # Another call may have learned the number just after this call had not found it. If the other call did not see
        # this message, only this call can process the message.
        if (number := await self._number(profile_id, hidden_id)) is not None:
            await self._process_kept(profile_id, hidden_id, number)

    async def _process_kept(self, profile_id: str, hidden_id: str, number: str) -> None:
        """Process the kept messages, and then delete them. After a crash between the two steps, they are processed
        again, which has no second effect. Messages to a removed package are not processed. They stay until they are
        old."""
        params = {"profile_id": profile_id, "hidden_id": hidden_id}
        async with autocommit(self.engine) as connection:
            kept = fetched(HiddenMessage, await connection.execute(sql.KEPT, params))
        messages = [each for each in kept if self.messages.config_cache.package(each.package_id) is not None]
        for message in messages:
            await self.messages.take_report(message.package_id, profile_id, _report(message, number))
        if messages:
            ids = [message.gateway_message_id for message in messages]
            async with autocommit(self.engine) as connection:
                await connection.execute(sql.FORGET, {**params, "gateway_message_ids": ids})
            HIDDEN_MESSAGES.labels("processed").inc(len(messages))


@dataclass(frozen=True, slots=True)
class HiddenMessageCount:
    """Counts the kept messages, for the metric."""

    engine: AsyncEngine

    async def run_once(self) -> float:
        """Returns the seconds until the next run."""
        async with autocommit(self.engine) as connection:
            WAITING_HIDDEN_MESSAGES.set((await connection.execute(sql.COUNT)).scalar_one())
        return COUNT_EVERY_SECONDS


def _kept(package_id: str, profile_id: str, hidden_id: str, report: CustomerReport) -> HiddenMessage:
    match report:
        case InboundMessage():
            name, message_id, kind, text = "message", report.gateway_message_id, str(report.kind), report.text
        case EditedMessage():
            name, message_id, kind, text = "edit", report.gateway_message_id, "text", report.text
        case UnexpectedMessage():
            name, message_id, kind, text = "unexpected", report.gateway_message_id, "text", report.text
        case MarketingPreference():
            name, message_id, kind, text = ("stop" if report.stop else "resume"), report.evidence, "preference", None
    return HiddenMessage(package_id, profile_id, hidden_id, message_id, name, kind, text, report.at)


def _report(message: HiddenMessage, number: str) -> CustomerReport:
    message_id, recipient = clean(message.gateway_message_id), clean(number)
    text = None if message.text is None else clean(message.text)
    match message.report:
        case "message":
            return InboundMessage(message_id, recipient, clean(message.kind), text, message.at)
        case "edit" | "unexpected":
            return EditedMessage(message_id, recipient, text, message.at)
        case _:
            return MarketingPreference(recipient, message.report == "stop", message_id, message.at)
