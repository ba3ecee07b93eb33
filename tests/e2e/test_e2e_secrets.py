"""Secrets: no log line, event, metric or error contains a token; no log line or metric a full phone number."""

import re

import aiohttp
import pytest
from aiokafka import AIOKafkaConsumer
from e2e.gateways import DRIVERS, add_fault, create_gateway_package, credentials_of, send_open_message, send_reply
from e2e.system import KEY, RunningSystem, eventually, recipients

from spreader.contract.events import DEAD_LETTER_TOPIC, EVENTS

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(200)]

WITH_METRICS = ("ingress", "router", "pacer", "sender", "stats", "console", "simulator")
WRONG_KEY = "a-key-that-nobody-has"
TEXT = {"type": "text", "text": "Hello"}


async def test_no_secret_and_no_full_number_is_shown(live: RunningSystem) -> None:
    """Each gateway gets a reply, an open message, a wrong key and a number that is not on WhatsApp. Callers show wrong
    keys, and a gateway a wrong signature."""
    people = iter(recipients(4 * len(DRIVERS), start=420_000))
    numbers, secrets, errors = list[str](), _secrets_of(live), list[str]()
    for driver in DRIVERS:
        package = f"secret_{driver}"
        (profile,) = await create_gateway_package(live, package, driver, 1)
        secrets += credentials_of(driver, profile).values()
        fine, opened, unknown, keyless = (next(people) for _ in range(4))
        numbers += [fine, opened, unknown, keyless]
        await add_fault(live, kind="fail", driver=driver, code="recipient_invalid", recipient=unknown)
        await add_fault(
            live, kind="fail", driver=driver, code="190" if driver == "cloud_api" else "401", recipient=keyless
        )
        message = await send_open_message(live, package, TEXT, opened)
        await eventually(lambda message=message: _ended(live, message), 60)  # a refused key closes both lanes
        for person in (fine, unknown, keyless):
            answer = await send_reply(live, package, TEXT, person)
            errors += [str(answer.body)] if answer.status >= 400 else []
        shown = await live.ask("GET", f"/packages/{package}/profiles/{profile}")
        errors.append(str(shown.body))
        forged = await _with_wrong_key(live, "ingress", "POST", f"/api/v1/webhooks/{driver}/{package}/{profile}")
        assert forged[0] == 401
        errors.append(forged[1])
    for service, path in (("ingress", "/api/v1/packages"), ("stats", "/api/v1/profiles"), ("sender", "/openapi.json")):
        status, body = await _with_wrong_key(live, service, "GET", path)
        assert status == 401
        errors.append(body)
    texts = {
        "logs": live.log.read_text(errors="replace"),
        "events": await _events(live),
        "metrics": "\n".join([await _metrics(live, name) for name in WITH_METRICS]),
        "errors": "\n".join(errors),
    }
    for place, text in texts.items():
        assert text, f"there are no {place} to search"
        assert not [secret for secret in secrets if secret in text], f"a secret is in the {place}"
    for place in ("logs", "metrics"):
        seen = [number for number in numbers if re.search(rf"(?<!\d){number}(?!\d)", texts[place])]
        assert not seen, f"full numbers are in the {place}: {seen}"


def _secrets_of(system: RunningSystem) -> list[str]:
    """The secrets of the system itself, as its services have them."""
    files = [(system.folder / name).read_text().strip() for name in ("secret.key", "internal.token")]
    assert all(len(secret) > 20 for secret in files)
    return [*files, f"Bearer {KEY}", WRONG_KEY]


async def _with_wrong_key(system: RunningSystem, service: str, method: str, path: str) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {WRONG_KEY}", "X-Hub-Signature-256": f"sha256={WRONG_KEY}"}
    address = f"http://127.0.0.1:{system.ports[service]}{path}"
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.request(method, address, json={"event": WRONG_KEY}) as response,
    ):
        return response.status, await response.text()


async def _ended(system: RunningSystem, message: str) -> bool:
    counts = (await system.ask("GET", f"/messages/{message}")).body["counts"]
    return not counts["held"] and not counts["released"]


async def _events(system: RunningSystem) -> str:
    """Every record of every topic as text."""
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


async def _metrics(system: RunningSystem, name: str) -> str:
    answer = await system.ask_at(name, "/metrics")
    assert answer.status == 200
    return str(answer.body)


async def test_services_refuse_calls_without_their_token(live: RunningSystem) -> None:
    """The calls between services show it: other tests see their answers, such as forecasts and explanations."""
    for name in ("router", "pacer", "sender"):
        for path in ("/openapi.json", "/deliveries/dlv_1/explain", "/problems/not-found"):
            assert (await live.ask_at(name, path)).status == 401, (name, path)
        for path in ("/health/live", "/metrics"):
            assert (await live.ask_at(name, path)).status == 200, (name, path)
