"""Steps: however many recipients a request or a record has, the event loop handles few of them in one step."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from ingress.core.delivery_updates import DeliveryUpdate
from ingress.core.recipient_parts import PART_MAX
from ingress.status.handlers import StatusHandlers
from ingress.status.projection import StatusProjection
from ingress.testing import System
from spreader.contract.content import TextContent
from spreader.contract.events import AssignedDelivery, OpenDeliveriesAssigned, OpenOptions
from spreader.contract.ids import delivery_id
from spreader.kafka.client import KafkaBus
from spreader.kafka.guarded_consumer import Received

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
OPEN = "/packages/pkg/messages/open"
COUNTED: dict[str, Callable[..., int]] = {
    "ingress.messages.open_endpoint.encode": lambda event, *_: len(event.recipients),
    "ingress.consent.endpoint.read_rows": lambda lines, *_: len(lines),
    "ingress.consent.consent_lists._event": lambda _: 1,
    "ingress.consent.consent_lists.arrays": lambda _, rows: len(rows),
    "ingress.status.projection._row": lambda _: 1,
    "ingress.status.handlers._open_updates": lambda event: len(event.deliveries),
    "ingress.http.request_body.from_json": lambda body, **_: body.count(b","),
    "ingress.http.json_bounds.from_json": lambda body, **_: body.count(b","),
}
"""The functions that handle recipients on the event loop, and how many each call handles."""


class Steps:
    """Counts the recipients that each function handles in one step of the event loop."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.total, self.most = dict.fromkeys(COUNTED, 0), dict.fromkeys(COUNTED, 0)
        self._step = dict.fromkeys(COUNTED, 0)
        for name, count in COUNTED.items():
            self._watch(monkeypatch, name, count)

    def _watch(self, monkeypatch: pytest.MonkeyPatch, name: str, count: Callable[..., int]) -> None:
        module, _, attribute = name.rpartition(".")
        function = getattr(__import__(module, fromlist=[attribute]), attribute)

        def counted(*arguments: Any, **named: Any) -> Any:
            self._step[name] += count(*arguments, **named)
            self.total[name] += count(*arguments, **named)
            self.most[name] = max(self.most[name], self._step[name])
            return function(*arguments, **named)

        monkeypatch.setattr(name, counted)

    @asynccontextmanager
    async def counted(self) -> AsyncGenerator[None]:
        loop, stopped = asyncio.get_running_loop(), False

        def next_step() -> None:
            self._step = dict.fromkeys(COUNTED, 0)
            if not stopped:
                loop.call_soon(next_step)

        next_step()
        try:
            yield
        finally:
            stopped = True


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    return Steps(monkeypatch)


def numbers(count: int) -> list[str]:
    return [f"2015{number:08}" for number in range(count)]


@pytest.mark.parametrize("path", [OPEN, "/packages/pkg/suppressions", "/suppressions/import"])
async def test_a_large_request_is_handled_in_steps(system: System, steps: Steps, path: str) -> None:
    """Red before: 10,000 recipients were handled in one step, and of a file 5,000 rows."""
    await system.package("a")
    recipients = numbers(10_000)
    content = {"type": "text", "text": "Hello"} if path == OPEN else {}
    body = json.dumps({**content, "recipients": recipients})
    if path.endswith("import"):
        body = "\n".join(["", *["no"] * 3_000, *recipients])
    async with steps.counted():
        answer = await system.http.post(path, content=body)
    assert answer.status_code in (200, 202), answer.text
    assert max(steps.total.values()) >= 10_000
    assert max(steps.most.values()) <= PART_MAX, steps.most


async def test_records_of_large_messages_are_handled_in_steps(system: System, steps: Steps) -> None:
    """Red before: a batch of 10,000 deliveries was handled in one step."""
    handlers = StatusHandlers(system.projection, system.receipts)
    (consumer,) = (each for each in handlers.consumers(cast(KafkaBus, None)) if OpenDeliveriesAssigned in each.accepts)
    batch = [Received(_assigned(number), "t", 0, number) for number in range(4)]
    async with steps.counted():
        await consumer.handle(batch)
    assert steps.total["ingress.status.projection._row"] == 4 * PART_MAX
    assert max(steps.most.values()) <= PART_MAX, steps.most


async def test_small_records_are_stored_together(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """Red before: each record was stored by its own statement."""
    handlers, folded = StatusHandlers(system.projection, system.receipts), list[int]()
    (consumer,) = (each for each in handlers.consumers(cast(KafkaBus, None)) if OpenDeliveriesAssigned in each.accepts)

    async def fold(_: StatusProjection, updates: Sequence[DeliveryUpdate]) -> None:
        folded.append(len(updates))

    monkeypatch.setattr(StatusProjection, "fold_deliveries", fold)
    sizes = (1, 2, PART_MAX - 3, 1, PART_MAX, 1, 1)
    await consumer.handle([Received(_assigned(0, size), "t", 0, place) for place, size in enumerate(sizes)])
    assert folded == [PART_MAX, 1, PART_MAX, 2]


def _assigned(number: int, count: int = PART_MAX) -> OpenDeliveriesAssigned:
    people = enumerate(numbers((number + 1) * count)[number * count :])
    return OpenDeliveriesAssigned(
        package_id="pkg",
        message_id="msg_1",
        content=TextContent(type="text", text="Hello"),
        options=OpenOptions(),
        requested_at=NOW,
        strategy="round_robin",
        deliveries=tuple(
            AssignedDelivery(delivery_id=delivery_id("msg_1", each), recipient=each, profile_id="a", index=index)
            for index, each in people
        ),
    )
