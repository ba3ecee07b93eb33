"""Message list: newest first, in pages that neither skip nor repeat a message."""

from datetime import UTC, datetime, timedelta

import pytest

from ingress.sql.status import NewMessage
from ingress.testing import System
from spreader.http.cursors import encode_cursor

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def accepted(number: int, minute: int, lane: str = "open", package_id: str = "pkg") -> NewMessage:
    at = NOON + timedelta(minutes=minute)
    return NewMessage(f"msg_{number}", package_id, "reply" if lane == "reply" else "open", "text", at, 3)


async def ids(system: System, query: str = "") -> list[str]:
    answer = await system.http.get(f"/packages/pkg/messages{query}")
    assert answer.status_code == 200, answer.text
    return [each["message_id"] for each in answer.json()["data"]]


async def test_messages_of_the_package_are_listed_newest_first(system: System) -> None:
    await system.package("a")
    others = [accepted(9, 9, package_id="other")]
    await system.projection.fold_messages([accepted(1, 1), accepted(2, 5), accepted(3, 3, "reply"), *others])
    assert await ids(system) == ["msg_2", "msg_3", "msg_1"]
    assert (await ids(system, "?lane=reply"), await ids(system, "?lane=open")) == (["msg_3"], ["msg_2", "msg_1"])
    first = (await system.http.get("/packages/pkg/messages?limit=1")).json()["data"][0]
    assert first == (await system.http.get("/messages/msg_2")).json()
    assert (first["status"], first["counts"]["held"]) == ("queued", 3)


async def test_the_list_says_how_long_messages_are_kept(system: System) -> None:
    await system.package("a")
    assert (await system.http.get("/packages/pkg/messages")).json()["kept_days"] == 180


async def test_pages_neither_skip_nor_repeat_messages_of_the_same_time(system: System) -> None:
    await system.package("a")
    await system.projection.fold_messages([accepted(number, number // 3) for number in range(8)])
    seen, cursor = list[str](), ""
    while True:
        page = (await system.http.get(f"/packages/pkg/messages?limit=3{cursor}")).json()
        seen += [each["message_id"] for each in page["data"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [f"msg_{number}" for number in (7, 6, 5, 4, 3, 2, 1, 0)]


async def test_the_link_to_the_next_page_keeps_the_filters(system: System) -> None:
    await system.package("a")
    await system.projection.fold_messages([accepted(number, number, "reply") for number in range(3)])
    await system.projection.fold_messages([accepted(9, 2, "open")])
    first = await system.http.get("/packages/pkg/messages?lane=reply&limit=2")
    following = await system.http.get(f"http://test{first.links['next']['url']}")
    assert [each["message_id"] for each in following.json()["data"]] == ["msg_0"]
    assert "next" not in following.links
    other = await system.http.get("/packages/pkg/messages", params={"cursor": first.json()["next_cursor"]})
    assert (other.status_code, other.json()["code"]) == (400, "cursor")


@pytest.mark.parametrize(
    ("path", "last_ids"),
    [
        (
            "messages",
            ["x", "2026-06-01T12:00:00 msg_1 msg_2", "0001-01-01T00:00:00+14:00 m", "9999-12-31T23:59:59-14:00 m"],
        ),
        ("changes", ["x", "-1", "9" * 40, "9" * 300]),
    ],
)
async def test_a_forged_cursor_is_no_cursor(system: System, path: str, last_ids: list[str]) -> None:
    await system.package("a")
    for last_id in last_ids:
        cursor = encode_cursor(f"/api/v1/packages/pkg/{path}", last_id)
        response = await system.http.get(f"/packages/pkg/{path}?cursor={cursor}")
        assert (response.status_code, response.json()["code"]) == (400, "cursor"), last_id


async def test_invalid_requests(system: System) -> None:
    await system.package("a")
    for path, status in (("/packages/nobody/messages", 404), ("/packages/pkg/messages?lane=third", 422)):
        assert (await system.http.get(path)).status_code == status
