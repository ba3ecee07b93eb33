"""Direct publishers: the documented example works, and an invalid record gets a `rejected` outcome."""

import asyncio
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from e2e.system import RunningSystem, eventually, recipients

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "publish.py"


async def test_the_documented_example_sends_an_open_message_and_a_reply(live: RunningSystem) -> None:
    await live.create_package("direct", 2, rest_window=None)
    people = recipients(2, start=600_000)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(EXAMPLE),
        f"127.0.0.1:{live.ports['kafka']}",
        "direct",
        *people,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    opened, reply = output.decode().split()

    async def counts() -> list[int]:
        found = [(await live.ask("GET", f"/messages/{message}")).body.get("counts", {}) for message in (opened, reply)]
        return [sum(each.get(status, 0) for status in ("sent", "delivered", "read")) for each in found]

    assert await eventually(counts, 60, lambda seen: seen == [2, 1]) == [2, 1]
    lines = [line["recipient"] for line in await live.ledger() if line["recipient"] in people]
    assert sorted(lines) == sorted([*people, people[0]])


@pytest.mark.parametrize(
    ("package", "options", "reason"),
    [
        ("nowhere", {}, "there is no package nowhere"),
        ("direct_bad", {"waiting_strategy": "queued", "drip_until": "2030-01-01T00:00:00Z"}, "drip_until"),
    ],
)
async def test_a_record_that_ingress_would_refuse_is_rejected_with_the_reason(
    live: RunningSystem, package: str, options: dict[str, Any], reason: str
) -> None:
    if package == "direct_bad":
        await live.create_package(package, 1, rest_window=None)
    (person,) = recipients(1, start=610_000)
    message = f"msg_{uuid.uuid4().hex}"
    example = await asyncio.to_thread(_example)
    body, headers = example["record"](
        "spreader.message-requested.open.v1",
        f"{message}/0",
        {
            "package_id": package,
            "message_id": message,
            "content": {"type": "text", "text": "Hello"},
            "recipients": [person],
            "requested_at": "2026-01-01T00:00:00Z",
            "options": options,
        },
        "2026-01-01T00:00:00Z",
    )
    async with AIOKafkaProducer(bootstrap_servers=f"127.0.0.1:{live.ports['kafka']}", acks="all") as producer:
        await producer.send_and_wait("spreader.message-requested.open", body, key=package.encode(), headers=headers)

    async def delivery() -> list[dict[str, Any]]:
        answer = await live.ask("GET", f"/messages/{message}/deliveries")
        return answer.body["data"] if answer.status == 200 else []

    (row,) = await eventually(delivery, 30)
    assert (row["status"], reason in row["reason"]) == ("rejected", True), row


def _example() -> dict[str, Any]:
    """The names that the example defines; its main part does not run."""
    defined: dict[str, Any] = {"__name__": "example"}
    exec(compile(EXAMPLE.read_text(), str(EXAMPLE), "exec"), defined)
    return defined
