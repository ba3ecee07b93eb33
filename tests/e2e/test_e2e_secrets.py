"""Secrets: no token in any log line, event, metric or error, and no full phone number where people look."""

import re

import pytest
from aiokafka import AIOKafkaConsumer
from e2e.gateways import DRIVERS, at_gateways, credentials_of, fault, open_message, reply
from e2e.running import Running, eventually, recipients

from spreader.contract.events import DEAD_LETTER_TOPIC, EVENTS

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(200)]

WITH_METRICS = ("ingress", "router", "pacer", "sender", "stats")
TEXT = {"type": "text", "text": "Hello"}


async def test_no_secret_and_no_number_is_told_to_anybody(live: Running) -> None:
    """Through each gateway goes a reply, an open message, one refused key and one number that cannot be written to."""
    people = iter(recipients(4 * len(DRIVERS), start=420_000))
    numbers, secrets, errors = list[str](), list[str](), list[str]()
    for driver in DRIVERS:
        package = f"secret_{driver}"
        (profile,) = await at_gateways(live, package, driver, 1)
        secrets += credentials_of(driver, profile).values()
        fine, opened, unknown, keyless = (next(people) for _ in range(4))
        numbers += [fine, opened, unknown, keyless]
        await fault(live, kind="fail", driver=driver, code="recipient_invalid", recipient=unknown)
        await fault(live, kind="fail", driver=driver, code="190" if driver == "cloud_api" else "401", recipient=keyless)
        message = await open_message(live, package, TEXT, opened)
        await eventually(lambda message=message: _ended(live, message), 60)  # a refused key closes both lanes
        for person in (fine, unknown, keyless):
            answer = await reply(live, package, TEXT, person)
            errors += [str(answer.body)] if answer.status >= 400 else []
        shown = await live.ask("GET", f"/packages/{package}/profiles/{profile}")
        errors.append(str(shown.body))
    told = {
        "logs": live.log.read_text(errors="replace"),
        "events": await _events(live),
        "metrics": "\n".join([await _metrics(live, name) for name in WITH_METRICS]),
        "errors": "\n".join(errors),
    }
    for place, text in told.items():
        assert text, f"there are no {place} to look at"
        assert not [secret for secret in secrets if secret in text], f"a secret is in the {place}"
    for place in ("logs", "metrics"):
        seen = [number for number in numbers if re.search(rf"(?<!\d){number}(?!\d)", told[place])]
        assert not seen, f"full numbers are in the {place}: {seen}"


async def _ended(system: Running, message: str) -> bool:
    counts = (await system.ask("GET", f"/messages/{message}")).body["counts"]
    return not counts["held"] and not counts["released"]


async def _events(system: Running) -> str:
    """Every record of every topic, as text."""
    topics = {*(event.topic for event in EVENTS), DEAD_LETTER_TOPIC}
    kafka = f"127.0.0.1:{system.ports['kafka']}"
    consumer = AIOKafkaConsumer(*topics, bootstrap_servers=kafka, group_id=None, auto_offset_reset="earliest")
    await consumer.start()
    try:
        ends = await consumer.end_offsets(list(consumer.assignment()))
        pieces = list[str]()
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=1_000)).values():
                pieces += [f"{each.headers} {each.value!r}" for each in records]
        return "\n".join(pieces)
    finally:
        await consumer.stop()


async def _metrics(system: Running, name: str) -> str:
    answer = await system.ask_at(name, "/metrics")
    assert answer.status == 200
    return str(answer.body)
