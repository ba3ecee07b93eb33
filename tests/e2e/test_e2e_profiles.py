"""Profiles that come, pause and go on the running system: the very next request is shared out among who is there."""

import pytest
from e2e.running import Running, recipients

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


async def test_profiles_come_pause_and_go_between_requests(live: Running) -> None:
    one, two = await live.package("changing", 2)
    sent = 0

    async def shared() -> dict[str, int]:
        nonlocal sent
        sent += 1
        body = {"type": "text", "text": "Hello", "recipients": recipients(12, 33_000_000 + 12 * sent)}
        answer = await live.ask("POST", "/packages/changing/messages/open", body)
        assert answer.status == 202, answer.body
        return answer.body["distribution"]

    async def change(method: str, path: str, body: dict[str, object] | None = None) -> None:
        answer = await live.ask(method, f"/packages/changing/profiles{path}", body)
        assert answer.status < 300, answer.body

    assert await shared() == {one: 6, two: 6}
    gateway = {"driver": "simulator", "account": "changing_p3"}
    await change("POST", "", {"profile_id": "changing_p3", "name": "New", "phone": "201077700003", "gateway": gateway})
    assert await shared() == {one: 4, two: 4, "changing_p3": 4}
    await change("POST", f"/{one}/pause")
    assert await shared() == {two: 6, "changing_p3": 6}
    await change("DELETE", f"/{two}")
    assert await shared() == {"changing_p3": 12}
    await change("POST", f"/{one}/resume")
    assert await shared() == {one: 6, "changing_p3": 6}
