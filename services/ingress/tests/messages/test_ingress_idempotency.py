"""Idempotency: whatever fails, a key is one message with one body, until it is deleted after 72 hours."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from pydantic_core import to_json
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.http.responses import ApiResponse
from ingress.messages.idempotency import IdempotentResponses
from ingress.messages.received import fingerprint
from ingress.messages.schemas import OpenText, Options
from ingress.sql.retention import old_rows
from ingress.testing import System
from spreader.clock import wall_now
from spreader.contract.events import OpenMessageRequested, ReplyMessageRequested
from spreader.http.problems import INVALID, Problem
from spreader.kafka.bus import PublishFailed
from spreader.kafka.envelope import decode
from spreader.runtime.retention import Retention

OPEN, REPLY = "/packages/pkg/messages/open", "/packages/pkg/messages/reply"
KEY = {"Idempotency-Key": "weekly-promo", "Prefer": "respond-async"}
SMALL: dict[str, Any] = {"type": "text", "text": "Hello", "recipients": ["201000000011", "201000000012"]}
LARGE: dict[str, Any] = {**SMALL, "recipients": [f"2010{number:08d}" for number in range(1_000)]}
ANSWER: dict[str, Any] = {"type": "text", "text": "Thank you", "recipient": "201000000011"}
CALLS = [(OPEN, SMALL), (OPEN, LARGE), (REPLY, ANSWER)]
NAMES = ["small", "large", "reply"]


async def sent(system: System) -> list[tuple[str, str]]:
    """The message and the words of every record that went out, by the bus or through the outbox."""
    await system.relay_outbox()
    relayed = [
        decode(each.topic, each.headers, each.body)
        for each in system.log.envelopes
        if each.body is not None and each.topic == OpenMessageRequested.topic
    ]
    events = [*system.bus.published, *relayed]
    return [
        (each.message_id, getattr(each.content, "text", ""))
        for each in events
        if isinstance(each, OpenMessageRequested | ReplyMessageRequested)
    ]


def forgetting(engine: AsyncEngine) -> Retention:
    return Retention(engine, wall_now, lambda: old_rows(timedelta(days=731)))


async def later(engine: AsyncEngine, seconds: int) -> None:
    """The stored answers grow old, and the loop that forgets takes a turn."""
    async with engine.begin() as connection:
        moved = text("UPDATE ingress.answer SET taken_at = taken_at - :seconds * interval '1 second'")
        await connection.execute(moved, {"seconds": seconds})
    while await forgetting(engine).delete_old(1_000):
        pass


async def kill(engine: AsyncEngine) -> None:
    """As if the ingress had died before it kept its answer."""
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE ingress.answer SET status = NULL, body = NULL"))


async def test_a_key_that_is_older_than_its_message_id_gets_one_that_stays(system: System) -> None:
    """Migration 0010 leaves the id of existing rows empty."""
    await system.package("a")
    path, body = CALLS[0]
    await system.http.post(path, json=body, headers=KEY)
    async with system.engine.begin() as connection:
        await connection.execute(text("UPDATE ingress.answer SET message_id = ''"))
    ids = list[str]()
    for _ in range(2):
        await kill(system.engine)
        await later(system.engine, 61)
        ids.append((await system.http.post(path, json=body, headers=KEY)).json()["message_id"])
    assert ids[0].startswith("msg_")
    assert ids == ids[:1] * 2


@pytest.mark.parametrize(("path", "body"), CALLS, ids=NAMES)
async def test_a_key_used_a_week_later_is_a_new_message(system: System, path: str, body: dict[str, Any]) -> None:
    """Dies when the id follows from the key alone: then the large message finds the old row, and nothing goes out."""
    await system.package("a")
    answers = []
    for words in ("Offers of May", "Offers of May", "Offers of June"):
        answers.append(await system.http.post(path, json={**body, "text": words}, headers=KEY))
        await later(system.engine, 7 * 24 * 3600)
    ids = [each.json()["message_id"] for each in answers]
    assert [each.status_code for each in answers] == [202] * 3
    assert len(set(ids)) == 3
    assert set(await sent(system)) == {(ids[0], "Offers of May"), (ids[1], "Offers of May"), (ids[2], "Offers of June")}


@pytest.mark.parametrize(("path", "body"), [CALLS[0], CALLS[2]], ids=["small", "reply"])
async def test_after_a_503_the_same_body_is_the_same_message_and_another_is_refused(
    system: System, path: str, body: dict[str, Any]
) -> None:
    await system.package("a")
    system.bus.loses_acknowledgements = True
    assert (await system.http.post(path, json=body, headers=KEY)).status_code == 503
    first = await sent(system)
    system.bus.loses_acknowledgements = False
    corrected = await system.http.post(path, json={**body, "text": "Corrected"}, headers=KEY)
    assert (corrected.status_code, corrected.json()["code"], await sent(system)) == (422, "key-reused", first)
    again = await system.http.post(path, json=body, headers=KEY)
    assert (again.status_code, again.json()["message_id"]) == (202, first[0][0])
    assert await sent(system) == first * 2


@pytest.mark.parametrize(("path", "body"), CALLS, ids=NAMES)
async def test_after_a_crash_only_the_same_body_may_try_again(system: System, path: str, body: dict[str, Any]) -> None:
    await system.package("a")
    first = (await system.http.post(path, json=body, headers=KEY)).json()
    await kill(system.engine)
    await later(system.engine, 61)
    corrected = await system.http.post(path, json={**body, "text": "Corrected"}, headers=KEY)
    assert (corrected.status_code, corrected.json()["code"]) == (422, "key-reused")
    again = await system.http.post(path, json=body, headers=KEY)
    assert (again.status_code, again.json()) == (202, first)
    assert set(await sent(system)) == {(first["message_id"], body["text"])}


async def test_a_large_message_is_published_once_however_often_the_ingress_crashes(system: System) -> None:
    await system.package("a")
    for _ in range(3):
        assert (await system.http.post(OPEN, json=LARGE, headers=KEY)).status_code == 202
        await kill(system.engine)
        await later(system.engine, 61)
    assert len(await sent(system)) == 2  # records, of 500 recipients each


async def test_a_refused_request_may_be_corrected_under_the_same_key(system: System) -> None:
    await system.package("a")
    wrong = {**ANSWER, "conversation_id": "conv_" + "0" * 26}
    assert (await system.http.post(REPLY, json=wrong, headers=KEY)).status_code == 422
    assert (await system.http.post(REPLY, json=ANSWER, headers=KEY)).status_code == 202


async def test_a_refusal_after_a_503_keeps_the_key(engine: AsyncEngine) -> None:
    """Dies when every refusal drops the row: the third try is then a second message."""
    answers = IdempotentResponses(engine)
    tried = list[str]()

    async def tell(number: int, failure: Exception | None) -> ApiResponse:
        async def work(message_id: str) -> ApiResponse:
            tried.append(message_id)
            if failure is not None:
                raise failure
            return ApiResponse(202, {})

        return await answers.respond_once("r", "k", "hash", f"msg_{number}", work)

    for number, failure in enumerate([PublishFailed("no acknowledgement"), Problem(INVALID, "the file is gone")]):
        with pytest.raises(type(failure)):
            await tell(number, failure)
    assert (await tell(2, None)).status == 202
    assert tried == ["msg_0"] * 3


async def test_a_key_is_known_for_72_hours_after_its_last_try(system: System) -> None:
    await system.package("a")
    system.bus.loses_acknowledgements = True
    for _ in range(3):
        assert (await system.http.post(OPEN, json=SMALL, headers=KEY)).status_code == 503
        await later(system.engine, 71 * 3600)
    assert len(set(await sent(system))) == 1
    await later(system.engine, 3600)
    assert (await system.http.post(OPEN, json=SMALL, headers=KEY)).status_code == 503
    assert len(set(await sent(system))) == 2


async def test_a_key_that_is_being_claimed_is_not_deleted(system: System) -> None:
    await system.package("a")
    system.bus.away = True
    await system.http.post(OPEN, json=SMALL, headers=KEY)
    take_over = text("UPDATE ingress.answer SET taken_at = clock_timestamp()")
    async with system.engine.begin() as connection:
        await connection.execute(text("UPDATE ingress.answer SET taken_at = taken_at - interval '73 hours'"))
    async with system.engine.begin() as connection:
        await connection.execute(take_over)
        deletion = asyncio.create_task(forgetting(system.engine).delete_old(1_000))
        await asyncio.wait([deletion], timeout=0.3)
    assert await deletion == 0
    async with system.engine.connect() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM ingress.answer"))).scalar_one() == 1


class NextOptions(Options):
    """As the next version of Spreader may have them."""

    new_option: float = 0.8


class NextOpenText(OpenText):
    options: Options = NextOptions()
    new_field: str | None = None


async def test_a_repeat_after_an_upgrade_is_the_same_body(system: System) -> None:
    """Dies where the hash is of the form with its defaults: the retry would be refused as another body."""
    kept = ApiResponse(202, {"message_id": "msg_1"})

    async def answer(message_id: str) -> ApiResponse:
        return kept

    for form in (OpenText, NextOpenText):
        given = form.model_validate_json(to_json(SMALL))
        assert (
            await IdempotentResponses(system.engine).respond_once("POST /", "k", fingerprint(given), "msg_1", answer)
        ).body == kept.body
