"""Reporting: what a gateway said, turned into events before it hears that we have it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from ingress.configuration.credentials import Sealing
from ingress.consent.consent_lists import Consents, Scope
from ingress.core.receipts import Told
from ingress.core.reports import (
    Account,
    Addressed,
    Echo,
    Holder,
    Nothing,
    Number,
    Receipt,
    Report,
    Said,
    Standing,
    Whom,
    Wish,
    Words,
)
from ingress.core.signatures import equal
from ingress.core.webhook_parsers import Wire
from ingress.metrics import WEBHOOKS, WEBHOOKS_PASSED
from ingress.webhooks.account_index import Accounts, Placed
from ingress.webhooks.inbound_messages import Hearing
from ingress.webhooks.receipts import Receipts
from spreader.contract.configuration import Driver
from spreader.contract.events import CustomerMessage, ProfileReported
from spreader.http.problems import Problem
from spreader.kafka.bus import Bus

EVIDENCE_CHARACTERS_MAX = 500
REPORT_ID_CHARACTERS_MAX = 256
_EVENTS: dict[type[Said], str] = {
    Receipt: "receipt", Echo: "echo", Words: "message", Wish: "wish", Standing: "standing",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reporting:
    bus: Bus
    accounts: Accounts
    receipts: Receipts
    hearing: Hearing
    consents: Consents
    sealing: Sealing

    async def take(self, addressed: Placed, wire: Wire, reports: Sequence[Report]) -> None:
        """Raises where not all of it is sure: the gateway then reports again, and a repeat does no harm."""
        driver, told, standings = addressed.gateway.driver, list[Told](), list[ProfileReported]()
        for report in reports:
            meant = self._meant(addressed, wire, report.whom)
            said = report.said
            _count(driver, said if meant else Nothing("not_for_us"))
            for placed in meant:
                match said:
                    case Receipt() | Echo():
                        told.append(Told(placed.package.package_id, placed.profile.profile_id, said))
                    case Words():
                        await self.hearing.hear(_customer_message(placed, said))
                    case Wish():
                        await self._heed(placed, said)
                    case Standing():
                        standings.append(_reported(placed, said))
                    case Nothing():
                        pass
                    case _:
                        assert_never(said)
        await asyncio.gather(self.receipts.take(told), self.bus.publish(*standings))

    def _meant(self, addressed: Placed, wire: Wire, whom: Whom) -> Sequence[Placed]:
        match whom:
            case Addressed():
                return [addressed]
            case Account(name):
                if name == addressed.gateway.account:
                    return [addressed]
                return self._believed(addressed, wire, self.accounts.named(addressed.gateway, name))
            case Number(phone):
                if phone == addressed.profile.phone:
                    return [addressed]
                return self._believed(addressed, wire, self.accounts.numbered(addressed.gateway, phone))
            case Holder():
                return self.accounts.held_with(addressed)
            case _:
                assert_never(whom)

    def _believed(self, addressed: Placed, wire: Wire, other: Placed | None) -> Sequence[Placed]:
        """Another profile, if the call would have been believed at its own address as well."""
        if other is None or wire.secret is None:
            return []
        try:
            ours, theirs = (
                self.sealing.read(each.profile.profile_id, each.gateway.sealed) for each in (addressed, other)
            )
        except Problem:
            return []
        return [other] if equal(ours[wire.secret], theirs[wire.secret]) else []

    async def _heed(self, placed: Placed, wish: Wish) -> None:
        """What a customer told WhatsApp itself. To let a business go on lifts what was stopped there, nothing else."""
        scope = Scope(placed.package.package_id, "suppression")
        if wish.stop:
            await self.consents.add(scope, [wish.recipient], "gateway", wish.evidence, wish.at)
        else:
            await self.consents.lift_of_gateway(scope, wish.recipient, wish.at)


def _count(driver: Driver, said: Said) -> None:
    if isinstance(said, Nothing):
        WEBHOOKS_PASSED.labels(driver, said.why).inc()
    else:
        WEBHOOKS.labels(driver, _EVENTS[type(said)]).inc()


def _customer_message(placed: Placed, said: Words) -> CustomerMessage:
    return CustomerMessage(
        package_id=placed.package.package_id,
        profile_id=placed.profile.profile_id,
        recipient=said.recipient,
        gateway_message_id=said.gateway_message_id,
        kind=said.kind,
        text=said.text,
        at=said.at,
    )


def _reported(placed: Placed, said: Standing) -> ProfileReported:
    return ProfileReported(
        profile_id=placed.profile.profile_id,
        package_id=placed.package.package_id,
        report_id=said.report_id[:REPORT_ID_CHARACTERS_MAX],
        session=said.session,
        quality=said.quality,
        restriction=said.restriction,
        quota=said.quota,
        code=said.code,
        evidence=said.evidence[:EVIDENCE_CHARACTERS_MAX],
        at=said.at,
    )
