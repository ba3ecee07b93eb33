"""Idempotency: one answer for one Idempotency-Key, however often the request comes."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from fastapi import Request
from pydantic import BaseModel
from pydantic_core import to_json
from sqlalchemy import TextClause
from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.http.problems import IDEMPOTENCY_KEY, IN_PROGRESS, KEY_REUSED
from ingress.http.responses import Answer
from ingress.sql import idempotency as sql
from spreader.clock import wall_now
from spreader.contract.ids import new_id
from spreader.http.problems import Problem

KEY_CHARACTERS_MAX = 255


def key_of(request: Request) -> str | None:
    """The header's key, bare or in the quotes of the draft standard."""
    value = request.headers.get("idempotency-key")
    if value is None:
        return None
    key = value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
    if not 1 <= len(key) <= KEY_CHARACTERS_MAX or not key.isascii() or not key.isprintable():
        raise Problem(IDEMPOTENCY_KEY, f"Idempotency-Key: send 1 to {KEY_CHARACTERS_MAX} printable ASCII characters.")
    return key


@dataclass(frozen=True, slots=True)
class Answers:
    """Kept for 72 hours after the last try: a key's body (hashed), its message, and the answer, if there is one.

    A try that fails leaves no answer, yet its message may be on its way: only the same body may try again, as the same
    message. A first try that is refused sends nothing and is forgotten.
    """

    engine: AsyncEngine

    async def once(
        self, route: str, key: str, form: BaseModel, new_message_id: str, work: Callable[[str], Awaitable[Answer]]
    ) -> Answer:
        """The kept answer of this key, or the answer of `work`, now kept.

        `work` gets the message's id: the new one, or that of earlier tries. It refuses (`Problem`) before it sends.
        """
        given = form.model_dump_json(exclude_unset=True)  # a field that only a newer version knows changes nothing
        body_hash = hashlib.sha256(given.encode()).hexdigest()
        claim = new_id("clm", wall_now())
        place = {"route": route, "key": key}
        asked = {**place, "body_hash": body_hash, "claim": claim, "message_id": new_message_id}
        async with self.engine.begin() as connection:
            message_id = (await connection.execute(sql.CLAIM, asked)).scalar_one_or_none()
        if message_id is None:
            return await self._kept(place, body_hash)
        try:
            answer = await work(message_id)
        except BaseException as error:
            sent_nothing = isinstance(error, Problem) and message_id == new_message_id
            await self._run(sql.DROP if sent_nothing else sql.RELEASE, **place, claim=claim)
            raise
        body = to_json(answer.body).decode()
        await self._run(sql.SAVE, **place, claim=claim, status=answer.status, body=body)
        return answer

    async def delete_old(self, rows_max: int) -> int:
        """Delete at most `rows_max` responses that no repeat may ask for any more; returns how many."""
        return await self._run(sql.DELETE_OLD, limit=rows_max)

    async def _kept(self, place: dict[str, str], body_hash: str) -> Answer:
        async with self.engine.connect() as connection:
            row = (await connection.execute(sql.RESPONSE, place)).one_or_none()
        if row is not None and row.body_hash != body_hash:
            raise Problem(
                KEY_REUSED,
                "This Idempotency-Key stands for another body, which may be on its way. "
                "Use a new key for a new message.",
            )
        if row is None or row.status is None:
            headers = {"Retry-After": "1"}
            raise Problem(IN_PROGRESS, "A request with this key is being worked on. Ask again.", headers=headers)
        return replace(Answer(row.status, json.loads(row.body)), headers={"Idempotency-Replayed": "true"})

    async def _run(self, statement: TextClause, **values: object) -> int:
        async with self.engine.begin() as connection:
            return (await connection.execute(statement, values)).rowcount
