"""Profiles that are added, paused and deleted: the next request is shared by the profiles that are active then."""

from collections import Counter
from typing import Any

import pytest
from e2e.system import RunningSystem, eventually, recipients

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


async def test_profiles_are_added_paused_and_deleted_between_requests(live: RunningSystem) -> None:
    one, two = await live.create_package("changing", 2)
    sent = 0

    async def send_and_get_distribution() -> dict[str, int]:
        nonlocal sent
        sent += 1
        body = {"type": "text", "text": "Hello", "recipients": recipients(12, 33_000_000 + 12 * sent)}
        answer = await live.ask("POST", "/packages/changing/messages/open", body)
        assert answer.status == 202, answer.body
        return answer.body["distribution"]

    async def change(method: str, path: str, body: dict[str, object] | None = None) -> None:
        answer = await live.ask(method, f"/packages/changing/profiles{path}", body)
        assert answer.status < 300, answer.body

    assert await send_and_get_distribution() == {one: 6, two: 6}
    gateway = {"driver": "simulator", "account": "changing_p3"}
    await change("POST", "", {"profile_id": "changing_p3", "name": "New", "phone": "201077700003", "gateway": gateway})
    assert await send_and_get_distribution() == {one: 4, two: 4, "changing_p3": 4}
    await change("POST", f"/{one}/pause")
    assert await send_and_get_distribution() == {two: 6, "changing_p3": 6}
    await change("DELETE", f"/{two}")
    assert await send_and_get_distribution() == {"changing_p3": 12}
    await change("POST", f"/{one}/resume")
    assert await send_and_get_distribution() == {one: 6, "changing_p3": 6}


async def test_messages_to_a_paused_package_wait_and_are_shared_out_when_it_resumes(live: RunningSystem) -> None:
    one, two = await live.create_package("resting", 2)
    await live.ask("POST", "/packages/resting/pause")
    body = {"type": "text", "text": "Hello", "recipients": recipients(6, 34_000_000)}
    accepted = (await live.ask("POST", "/packages/resting/messages/open", body)).body
    assert (accepted["distribution"], accepted["waiting_for_profile"]) == ({}, 6), accepted
    message = f"/messages/{accepted['message_id']}"

    async def get_deliveries() -> list[dict[str, Any]]:
        return (await live.ask("GET", f"{message}/deliveries")).body["data"]

    held = await eventually(get_deliveries, 30, lambda deliveries: len(deliveries) == 6)
    assert {(each["status"], each["profile_id"]) for each in held} == {("held", None)}
    assert (await live.ask("GET", message)).body["waiting_for_profile"] == 6

    async def explain() -> dict[str, Any]:
        return (await live.ask("GET", f"/deliveries/{held[0]['delivery_id']}/explain")).body["pacing"]

    explained = await eventually(explain, 30, lambda pacing: "bound" in pacing)
    assert (explained["bound"], explained["profile_id"]) == ("waiting for a profile", None)
    assert explained["waiting_since"] is not None
    await live.ask("POST", "/packages/resting/resume")
    await eventually(get_deliveries, 30, lambda deliveries: all(each["profile_id"] for each in deliveries))
    assert Counter(each["profile_id"] for each in await get_deliveries()) == {one: 3, two: 3}
