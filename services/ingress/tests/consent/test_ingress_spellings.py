"""One person, two spellings of the number, over HTTP: lists, duplicates, warnings, and entries of older versions."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from ingress.consent.consent_lists import ConsentLists
from ingress.sql.spellings import MERGES
from ingress.testing import System
from spreader.contract.events import ConsentChanged, OpenMessageRequested
from spreader.contract.ids import delivery_id
from spreader.runtime.sql_spelling_merge import merge_all

pytestmark = pytest.mark.postgres

PAIRS = [
    ("5582999448232", "558299448232"),
    ("525512345678", "5215512345678"),
    ("5491155551234", "541155551234"),
]
"""The key of a person, and the other spelling of the number."""
KEY, OTHER = PAIRS[0]
MONA = "201000000011"
LIST = "/packages/pkg/suppressions"
both_ways = pytest.mark.parametrize("pair", [*PAIRS, *(pair[::-1] for pair in PAIRS)])


def stop(number: str) -> dict[str, Any]:
    return {
        "event": "message", "message_id": f"g_{number}", "from": number, "type": "text", "text": "STOP",
        "at": "2026-06-01T12:00:00Z",
    }  # fmt: skip


def open_message(*numbers: str) -> dict[str, Any]:
    return {"type": "text", "text": "Hello", "recipients": numbers}


async def listed(system: System, number: str) -> list[dict[str, Any]]:
    return (await system.http.get(f"{LIST}?recipient={number}")).json()["data"]


@both_ways
async def test_stop_from_one_spelling_is_found_and_lifted_by_the_other(system: System, pair: Sequence[str]) -> None:
    given, searched = pair
    await system.package("a")
    assert (await system.http.post("/webhooks/simulator/pkg/a", json=stop(given))).status_code == 200
    (entry,) = await listed(system, searched)
    key = min(pair, key=[number for known in PAIRS for number in known].index)
    assert (entry["recipient"], entry.get("recipient_key")) == (given, None if given == key else key)
    lists, package = ConsentLists(system.engine, system.bus, system.clock), system.snapshot().package
    assert set(await lists.objections(package, [[searched, MONA]])) == {searched}
    again = await system.http.post(LIST, json={"recipients": [searched, given]})
    assert again.json() == {"package_id": "pkg", "added": 0, "already": 1}
    assert (await system.http.delete(f"{LIST}/{searched}")).status_code == 204
    assert await listed(system, given) == []
    changes = system.bus.of(ConsentChanged)
    assert [(each.recipient, each.person, each.listed) for each in changes] == [(given, key, True), (given, key, False)]


async def test_pages_of_a_list_go_through_all_spellings(system: System) -> None:
    await system.package("a")
    numbers = [MONA, OTHER, "525512345678", "541155551234"]
    await system.http.post(LIST, json={"recipients": numbers})
    seen, cursor = list[str](), ""
    for _ in numbers:
        page = (await system.http.get(f"{LIST}?limit=1{cursor}")).json()
        seen += [row["recipient"] for row in page["data"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert sorted(seen) == sorted(numbers)


async def test_two_spellings_in_a_request_are_a_duplicate_and_a_warning(system: System) -> None:
    await system.package("a")
    response = await system.http.post("/packages/pkg/messages/open", json=open_message(OTHER, MONA, KEY, MONA))
    body = response.json()
    assert (body["recipients"], body["duplicates_removed"]) == (2, 2)
    assert [(warning["code"], warning["count"]) for warning in body["warnings"]] == [("other_spelling", 1)]
    (request,) = system.bus.of(OpenMessageRequested)
    assert request.recipients == (OTHER, MONA)
    plain = await system.http.post("/packages/pkg/messages/open", json=open_message(KEY, MONA))
    assert "warnings" not in plain.json()


async def test_a_delivery_shows_the_number_as_it_was_given_and_its_key(system: System) -> None:
    await system.package("a")
    name = delivery_id("m1", OTHER)
    async with system.engine.begin() as connection:
        statement = f"""
INSERT INTO ingress.delivery (delivery_id, message_id, package_id, lane, recipient, status, stage, attempt, turn, at)
VALUES ('{name}', 'm1', 'pkg', 'open', '{OTHER}', 'sent', 1, 1, 1, now())"""
        await connection.execute(text(statement))
    delivery = (await system.http.get(f"/deliveries/{name}")).json()
    assert (delivery["recipient"], delivery["recipient_key"]) == (OTHER, KEY)


async def _store(system: System, number: str, is_listed: bool, kind: str, day: int) -> None:
    """An entry as the previous version stores it."""
    row = f"'pkg', '{kind}', '{number}', {is_listed}, '2026-05-{day:02}', 'api', true"
    async with system.engine.begin() as connection:
        columns = "package_id, kind, recipient, listed, since, source, announced"
        await connection.execute(text(f"INSERT INTO ingress.consent ({columns}) VALUES ({row})"))


async def test_entries_of_the_previous_version_are_merged_and_published_again(system: System) -> None:
    await system.package("a")
    await _store(system, OTHER, True, "suppression", 1)  # lifted later under the other spelling: a suppression wins
    await _store(system, KEY, False, "suppression", 2)
    await _store(system, "525512345678", True, "opt_in", 1)  # removed later under the other spelling: the newest wins
    await _store(system, "5215512345678", False, "opt_in", 2)
    await _store(system, "541155551234", True, "suppression", 3)
    await _store(system, MONA, True, "suppression", 4)
    assert [row["recipient"] for row in await listed(system, KEY)] == [OTHER]  # found before it is merged
    await merge_all(system.engine, MERGES)
    async with system.engine.begin() as connection:
        rows = await connection.execute(text("SELECT recipient, given, listed FROM ingress.consent ORDER BY recipient"))
        assert [tuple(row) for row in rows] == [
            (MONA, None, True),
            ("525512345678", "5215512345678", False),
            ("5491155551234", "541155551234", True),
            (KEY, OTHER, True),
        ]
        await connection.execute(text("UPDATE ingress.consent SET changed_at = now() - interval '1 minute'"))
    await ConsentLists(system.engine, system.bus, system.clock).publish_left_over()
    changes = {each.person: each for each in system.bus.of(ConsentChanged)}
    assert {key: (each.recipient, each.listed) for key, each in changes.items()} == {
        KEY: (OTHER, True),
        "525512345678": ("5215512345678", False),
        "5491155551234": ("541155551234", True),
    }
    (merged,) = (each for key, each in changes.items() if key == KEY)
    assert merged.at > datetime(2026, 5, 2, tzinfo=UTC)  # readers ignore a change that is older than the removal
