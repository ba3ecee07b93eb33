"""Erasure on the running system: after it, no table of any service has the number, except a kept suppression."""

import functools
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from e2e.browser import chromium, tab
from e2e.system import RunningSystem, eventually, recipients
from playwright.async_api import expect
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from local.testbed.sql_search import tables_with
from spreader.contract.events import ConsentChanged
from spreader.runtime.postgres import create_engine
from spreader.settings import Settings

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

NUMBER, *OTHERS = recipients(6, 77_000_000)
PERSONAL = {
    *(f"ingress.{table}" for table in ("delivery", "consent")),
    *(f"router.{table}" for table in ("conversation", "conversation_move", "routing", "consent")),
    *(f"pacer.{table}" for table in ("delivery", "release", "contact", "habit", "consent")),
    *(f"sender.{table}" for table in ("delivery", "consent")),
    "stats.contact",
}
"""The tables in which the number is before the erasure. A new table with numbers makes this test fail twice."""
LISTS = {f"{service}.consent" for service in ("ingress", "router", "pacer", "sender")}
SCHEMAS = text("""
SELECT array_agg(DISTINCT schemaname) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')""")


async def _traces(engine: AsyncEngine) -> set[str]:
    async with engine.connect() as connection:
        schemas: list[str] = (await connection.execute(SCHEMAS)).scalar_one()
        assert {"ingress", "router", "pacer", "sender", "stats"} <= {*schemas}
        return await tables_with(connection, NUMBER, *schemas)


def _engine(system: RunningSystem) -> AsyncEngine:
    """A connection to the database of the system, whose address its services have in their environment."""
    variables = Path(f"/proc/{system.pid('ingress')}/environ").read_text().split("\0")
    url = next(each.partition("=")[2] for each in variables if each.startswith("SPREADER_DATABASE_URL="))
    return create_engine(Settings(database_url=url), "test")


async def _ask(system: RunningSystem, method: str, path: str, body: Any = None) -> Any:
    response = await system.ask(method, path, body)
    assert response.status < 300, (path, response.body)
    return response.body


async def _open(system: RunningSystem, package: str, people: list[str]) -> str:
    body = {"type": "text", "text": "Hello", "recipients": people}
    return str((await _ask(system, "POST", f"/packages/{package}/messages/open", body))["message_id"])


async def _counts(system: RunningSystem, message_id: str) -> dict[str, int]:
    counts = (await _ask(system, "GET", f"/messages/{message_id}"))["counts"]
    return {status: count for status, count in counts.items() if count}


async def _leave_traces(system: RunningSystem) -> str:
    """Let the number get into every table that can have it. Returns a message of which a delivery to it is held."""
    (profile,) = await system.create_package("forgetting", 1)
    await system.create_package("silent", 1)
    await _ask(system, "POST", "/packages/forgetting/opt-ins", {"recipients": [NUMBER]})
    await _ask(system, "POST", "/packages/silent/suppressions", {"recipients": [NUMBER]})
    hello = {"profile": profile, "text": "Hi"}
    write = functools.partial(system.ask_simulator, "POST", f"/customers/{NUMBER}/messages", hello)
    await eventually(write, 30, lambda answer: answer.status < 300)  # the simulator may not know the profile yet
    first = await _open(system, "forgetting", [NUMBER])
    await eventually(lambda: _counts(system, first), 60, lambda seen: not {"held", "released"} & {*seen})
    silent = await _open(system, "silent", [NUMBER])
    await eventually(lambda: _counts(system, silent), 30, lambda seen: seen == {"suppressed": 1})
    reply = {"type": "text", "text": "Yes", "recipient": NUMBER}
    await _ask(system, "POST", "/packages/forgetting/messages/reply", reply)
    held = await _open(system, "forgetting", [*OTHERS, NUMBER])
    await eventually(lambda: _held(system, held), 30)
    return held


async def _held(system: RunningSystem, message_id: str) -> bool:
    rows = (await _ask(system, "GET", f"/messages/{message_id}/deliveries"))["data"]
    return any(row["recipient"] == NUMBER and row["status"] == "held" for row in rows)


async def _sent(system: RunningSystem) -> int:
    return sum(line["recipient"] == NUMBER for line in await system.ledger())


async def _erase_in_the_console(system: RunningSystem) -> None:
    async with chromium() as browser, tab(browser, system) as opened:
        await opened.sign_in(path="/people")
        await opened.by_test_id("person").fill(NUMBER)
        await opened.by_test_id("find-person").click()
        await expect(opened.by_test_id("known")).to_contain_text("Africa/Cairo")
        await opened.by_test_id("erase").click()
        await expect(opened.by_test_id("keep-suppression")).to_be_checked()
        await opened.by_test_id("erase-surely").click()
        await expect(opened.by_test_id("erasure")).to_contain_text("done", timeout=90_000)


async def _newest_consents(system: RunningSystem) -> dict[str, bool]:
    """For each key of the consent topic with the number: whether its newest record is no tombstone."""
    consumer = AIOKafkaConsumer(
        ConsentChanged.topic,
        bootstrap_servers=f"127.0.0.1:{system.ports['kafka']}",
        group_id=None,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    newest: dict[str, bool] = {}
    try:
        ends = await consumer.end_offsets(list(consumer.assignment()))
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=1_000)).values():
                newest.update({(each.key or b"").decode(): each.value is not None for each in records})
    finally:
        await consumer.stop()
    return {key: is_there for key, is_there in newest.items() if NUMBER in key}


async def test_after_an_erasure_no_table_has_the_number(live: RunningSystem) -> None:
    engine = _engine(live)
    try:
        held = await _leave_traces(live)
        await eventually(lambda: _traces(engine), 60, lambda seen: seen == PERSONAL)
        sent = await _sent(live)
        await _erase_in_the_console(live)
        assert await _traces(engine) == LISTS
        assert (await _counts(live, held))["cancelled"] == 1
        person = await _ask(live, "GET", f"/recipients/{NUMBER}")
        assert [row["package_id"] for row in person["suppressions"]] == ["silent"]
        assert (person["opt_ins"], person["deliveries"]["total"], person["conversations"]) == ([], 0, [])
        assert await _newest_consents(live) == {
            f"forgetting:{NUMBER}:opt_in": False,
            f"silent:{NUMBER}:suppression": True,
        }
        message = {"profile": "forgetting_p1", "text": "I am back"}
        assert (await live.ask_simulator("POST", f"/customers/{NUMBER}/messages", message)).status < 300
        again = await eventually(
            lambda: _ask(live, "GET", f"/recipients/{NUMBER}"), 30, lambda seen: bool(seen["conversations"])
        )
        assert again["conversations"][0]["profile_id"] == "forgetting_p1"
        assert (await _sent(live), await _traces(engine) > LISTS) == (sent, True)
    finally:
        await engine.dispose()
