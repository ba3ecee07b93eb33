"""Message list: newest first, in pages that neither skip nor repeat a message."""

from datetime import UTC, datetime, timedelta

from ingress.sql.status import AcceptedMessage
from ingress.testing import System

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def accepted(number: int, minute: int, lane: str = "open", package_id: str = "pkg") -> AcceptedMessage:
    at = NOON + timedelta(minutes=minute)
    return AcceptedMessage(f"msg_{number}", package_id, "reply" if lane == "reply" else "open", "text", at, 3)


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


async def test_invalid_requests(system: System) -> None:
    await system.package("a")
    for path, status in (("/packages/nobody/messages", 404), ("/packages/pkg/messages?lane=third", 422)):
        assert (await system.http.get(path)).status_code == status
