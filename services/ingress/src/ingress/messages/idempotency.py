"""Idempotency: one response for each Idempotency-Key, however often the request is repeated."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import Request
from pydantic_core import to_json
from sqlalchemy import TextClause
from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.http.problems import IDEMPOTENCY_KEY, IN_PROGRESS, KEY_REUSED
from ingress.http.responses import ApiResponse
from ingress.sql import idempotency as sql
from spreader.clock import wall_now
from spreader.contract.ids import new_id
from spreader.http.problems import Problem, instance
from spreader.runtime.postgres import autocommit
from spreader.runtime.rows import fetched

KEY_CHARACTERS_MAX = 255


def key_of(request: Request) -> str | None:
    """The request's Idempotency-Key, or None. The key may be in double quotes, as
    draft-ietf-httpapi-idempotency-key-header writes it.

    Raises the problem `idempotency-key` if the key is empty, too long, or not printable ASCII.
    """
    value = request.headers.get("idempotency-key")
    if value is None:
        return None
    key = value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
    if not 1 <= len(key) <= KEY_CHARACTERS_MAX or not key.isascii() or not key.isprintable():
        raise Problem(IDEMPOTENCY_KEY, f"Idempotency-Key: send 1 to {KEY_CHARACTERS_MAX} printable ASCII characters.")
    return key


@dataclass(frozen=True, slots=True)
class IdempotentResponses:
    """Stores for each key the hash of the request body and the message id. The response is added when it is known. All
    this is kept for 72 hours.

    A request that fails leaves no response, but it may have published its message. Therefore a repeat must have the
    same body, and it continues the same message. A request that is refused has published nothing. If it was the first
    request with its key, the key is free again.
    """

    engine: AsyncEngine

    async def respond_once(
        self, route: str, key: str, body_hash: str, new_message_id: str, work: Callable[[str], Awaitable[ApiResponse]]
    ) -> ApiResponse:
        """The stored response of this key. If there is none, runs `work`, and stores and returns the response of
        `work`.

        `work` gets the message id of an earlier request with the key, or `new_message_id` if there was none. `work` may
        raise `Problem` only before it publishes anything.

        Raises the problem `key-reused` if the key was used with another body, and `in-progress` while another request
        works on the key.
        """
        claim = new_id("clm", wall_now())
        row_key = {"route": route, "key": key}
        params = {**row_key, "body_hash": body_hash, "claim": claim, "message_id": new_message_id}
        async with autocommit(self.engine) as connection:
            message_id = (await connection.execute(sql.CLAIM, params)).scalar_one_or_none()
        if message_id is None:
            return await self._stored(row_key, body_hash)
        try:
            response = await work(message_id)
        except BaseException as error:
            published_nothing = isinstance(error, Problem) and message_id == new_message_id
            await self._run(sql.DROP if published_nothing else sql.RELEASE, **row_key, claim=claim)
            raise
        body = to_json(response.body).decode()
        await self._run(sql.SAVE, **row_key, claim=claim, status=response.status, body=body)
        return response

    async def _stored(self, row_key: dict[str, str], body_hash: str) -> ApiResponse:
        async with autocommit(self.engine) as connection:
            rows = fetched(sql.StoredResponse, await connection.execute(sql.RESPONSE, row_key))
        stored = rows[0] if rows else None
        if stored is not None and stored.body_hash != body_hash:
            raise Problem(
                KEY_REUSED,
                "This Idempotency-Key was used with another body, and that message may have been sent. "
                "Use a new key for a new message.",
            )
        if stored is None or stored.status is None:
            detail = "A request with this Idempotency-Key is still in progress. Send it again shortly."
            raise Problem(IN_PROGRESS, detail, headers={"Retry-After": "1"})
        body = json.loads(stored.body or "")
        if stored.status >= 400:
            body["instance"] = instance()
        return ApiResponse(stored.status, body, {"Idempotency-Replayed": "true"})

    async def _run(self, statement: TextClause, **params: object) -> int:
        async with autocommit(self.engine) as connection:
            return (await connection.execute(statement, params)).rowcount
