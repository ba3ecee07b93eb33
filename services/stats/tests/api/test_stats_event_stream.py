"""Event stream: no alert and no state is lost, however late it is published."""

import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.kafka.bus import PublishFailed
from stats.api.event_stream import OVERLAP, EventStream
from stats.api.stream_place import StreamPlace
from stats.testing import StatsHarness, outcome, package, profile

pytestmark = pytest.mark.postgres

NOON = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def harness(engine: AsyncEngine) -> StatsHarness:
    harness = StatsHarness(engine, NOON, package("shop", profile("sales")), package("bank", profile("cards")))
    harness.stream = EventStream(engine, harness.clock, OVERLAP)
    await harness.evaluate()
    await harness.publish()
    return harness


async def raise_alert(harness: StatsHarness, name: str = "sales", package_id: str = "shop") -> None:
    """Raise an alert that cannot be published, because Kafka is away."""
    number = len(await all_alerts(harness)) + 1
    restricted = outcome(number, "deferred", harness.clock(), name, failure="restricted", package_id=package_id)
    await harness.receive(restricted)
    harness.bus.away = True
    with pytest.raises(PublishFailed):
        await harness.evaluate()
    harness.bus.away = False


async def all_alerts(harness: StatsHarness) -> list[dict[str, Any]]:
    """The alerts that a new listener gets."""
    return [data for kind, data in await beginning(harness, None) if kind == "alert"]


async def beginning(harness: StatsHarness, since: str | None) -> list[tuple[str, dict[str, Any]]]:
    """The events of a new stream up to `ready`."""
    stream = harness.stream.stream(harness.published, None, StreamPlace.parse(since))
    found: list[tuple[str, dict[str, Any]]] = []
    while not found or found[-1][0] != "ready":
        found += parsed(await anext(stream))
    await stream.aclose()
    return found


def parsed(piece: bytes) -> list[tuple[str, dict[str, Any]]]:
    """The name of each event, and its data with the id of the event."""
    found: list[tuple[str, dict[str, Any]]] = []
    for block in filter(None, piece.decode().split("\n\n")):
        lines = dict(line.split(": ", 1) for line in block.splitlines())
        if "event" in lines:
            found.append((lines["event"], {**json.loads(lines["data"]), "id": lines.get("id")}))
    return found


@pytest.fixture
async def listener(harness: StatsHarness) -> AsyncGenerator[AsyncGenerator[bytes]]:
    """An open stream that has sent its beginning."""
    stream = harness.stream.stream(harness.published, None, None)
    while parsed(await anext(stream))[-1][0] != "ready":
        pass
    yield stream
    await stream.aclose()


async def test_an_alert_that_is_published_late_reaches_an_open_stream(
    harness: StatsHarness, listener: AsyncGenerator[bytes]
) -> None:
    await raise_alert(harness)
    harness.clock.forward(MINUTE)
    await harness.publish_alerts()
    ((kind, alert),) = parsed(await anext(listener))
    assert (kind, alert["profile_id"], alert["state"]) == ("alert", "sales", "raised")


async def test_an_alert_and_a_state_that_are_published_late_reach_a_listener_that_was_away(
    harness: StatsHarness,
) -> None:
    await raise_alert(harness)
    harness.clock.forward(MINUTE)
    since = (await beginning(harness, None))[-1][1]["id"]  # after the alert was raised, and before it is published
    harness.clock.forward(MINUTE)
    await harness.publish_alerts()
    (state,) = [state for state in await harness.publish() if state.profile_id == "sales"]
    late = state.model_copy(update={"at": NOON})
    harness.published["sales"] = late
    harness.stream.on_state("sales", late)
    again = await beginning(harness, since)
    assert [(kind, data.get("profile_id")) for kind, data in again] == [
        ("alert", "sales"), ("profile", "sales"), ("ready", None),
    ]  # fmt: skip
    assert [kind for kind, _ in await beginning(harness, again[-1][1]["id"])] == ["profile", "ready"]  # the overlap
    harness.clock.forward(MINUTE)
    assert [kind for kind, _ in await beginning(harness, (await beginning(harness, None))[-1][1]["id"])] == ["ready"]


async def test_a_listener_that_breaks_off_between_two_alerts_gets_the_second(
    harness: StatsHarness, listener: AsyncGenerator[bytes]
) -> None:
    await raise_alert(harness)
    await raise_alert(harness, "cards", "bank")
    await harness.publish_alerts()
    ((_, first),) = parsed(await anext(listener))
    rest = [data["profile_id"] for kind, data in await beginning(harness, first["id"]) if kind == "alert"]
    assert {first["profile_id"], *rest} == {"sales", "cards"}
    assert len(rest) == 1


async def test_the_beginning_has_no_ids_so_a_listener_that_breaks_off_there_gets_everything(
    harness: StatsHarness,
) -> None:
    await raise_alert(harness)
    *before, (last, ready) = await beginning(harness, None)
    assert {data["id"] for _, data in before} == {None}
    assert (last, StreamPlace.parse(ready["id"]) is not None) == ("ready", True)


@pytest.mark.parametrize(
    "event_id",
    [f"{NOON}", f"{NOON}/x", "0001-01-01T00:00:00/1", "/5", f"{NOON}/²", f"{NOON}/{10**30}", f"{NOON}/{10**9}"],
)
async def test_a_listener_with_another_id_gets_everything(harness: StatsHarness, event_id: str) -> None:
    """An older version wrote only the time. The position of another database may be higher than any of this one."""
    await raise_alert(harness)
    again = await beginning(harness, event_id)
    assert sorted(kind for kind, _ in again) == ["alert", "profile", "profile", "ready"]
