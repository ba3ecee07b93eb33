"""Late reports about an erased person, on a real Postgres: what a gateway reports of the time before it."""

from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from sqlalchemy import text

from ingress.consent.consent_lists import ConsentLists
from ingress.consent.gateway_opt_outs import GatewayOptOuts
from ingress.consent.possible_opt_outs import PossibleOptOuts
from ingress.core.receipts import ProfileReceipt
from ingress.core.reports import Echo
from ingress.testing import System
from ingress.webhooks.hidden_ids import HiddenIds
from local.testbed.sql_search import tables_with
from spreader.contract.events import DeliveryOutcome, RecipientErased
from spreader.contract.ids import ERASED, new_id
from spreader.erasure.postgres import ErasureTable
from spreader.text.clean_text import clean, clean_id

pytestmark = pytest.mark.postgres

ONE = "201000000011"
LATER = timedelta(minutes=1)


async def erase(system: System, keep: bool = True) -> None:
    event = RecipientErased(erasure_id="ers_1", recipient=ONE, keep_suppression=keep, at=system.clock())
    async with system.engine.begin() as connection:
        await ErasureTable("ingress").note(connection, [event], system.clock())
        await connection.execute(text("UPDATE ingress.erasure SET recipient = NULL, done_at = now()"))


async def traces(system: System, number: str = ONE) -> set[str]:
    async with system.engine.connect() as connection:
        return await tables_with(connection, number, "ingress")


async def report(system: System, name: str, at: datetime) -> None:
    """Report an echo, a hidden id and a possible opt-out of this time."""
    await system.receipts.take([ProfileReceipt("pkg", "a", Echo(clean_id(name), clean(ONE), at))])
    consents = ConsentLists(system.engine, system.bus, system.clock)
    await PossibleOptOuts(system.engine, consents).note("pkg", "a", ONE, "Please stop", name, at)
    await HiddenIds(system.engine, cast("Any", None), system.sender).learn("a", name, ONE, at)


async def test_only_what_happened_after_the_erasure_is_kept(system: System) -> None:
    await erase(system)
    await report(system, "late", system.clock())
    assert await traces(system) == set()
    await report(system, "new", system.clock() + LATER)
    assert await traces(system) == {"ingress.receipt_waiting", "ingress.possible_opt_out", "ingress.hidden_id"}


async def test_nobody_has_the_number_that_takes_the_place_of_erased_ones(system: System) -> None:
    await HiddenIds(system.engine, cast("Any", None), system.sender).learn("a", "77", ERASED, system.clock())
    await GatewayOptOuts(ConsentLists(system.engine, system.bus, system.clock)).take([opted_out(system, ERASED)])
    assert await traces(system, ERASED) == set()


@pytest.mark.parametrize("keep", [True, False])
async def test_an_opt_out_at_the_gateway_counts_if_suppressions_are_kept(system: System, keep: bool) -> None:
    outcome = opted_out(system, ONE)
    await erase(system, keep)
    await GatewayOptOuts(ConsentLists(system.engine, system.bus, system.clock)).take([outcome])
    assert await traces(system) == ({"ingress.consent"} if keep else set())


def opted_out(system: System, recipient: str) -> DeliveryOutcome:
    return DeliveryOutcome(
        package_id="pkg",
        message_id=new_id("msg", system.clock()),
        delivery_id="dlv_1",
        recipient=recipient,
        lane="open",
        status="failed",
        failure="opted_out",
        at=system.clock(),
        profile_id="a",
    )
