"""Webhook arrivals: notes the calls of a gateway while an operator verifies a profile's webhook.

One instance of the ingress waits for the call, and the call may arrive at another instance. Therefore the note is
stored in Postgres. The other instances note only calls that report on the account itself. That is enough, because a
gateway sends such a report when it restarts the session. These reports are few. So calls with messages and receipts
need no note, and take no extra time.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator
from datetime import datetime

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.sql import link_attempts as sql

log = structlog.get_logger()

POLL_SECONDS = 0.25


class WebhookArrivals:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._verified = Counter[str]()

    @contextlib.asynccontextmanager
    async def verifying(self, profile_id: str) -> AsyncGenerator[None]:
        """Inside this context, this instance notes every call for the profile."""
        async with self._engine.begin() as connection:
            await connection.execute(sql.BEGIN_CHECK, {"profile_id": profile_id})
        self._verified[profile_id] += 1
        try:
            yield
        finally:
            self._verified[profile_id] -= 1
            self._verified = +self._verified

    async def note(self, profile_id: str, about_account: bool) -> None:
        """Notes a call, after the ingress has verified that the profile's gateway made it. `about_account`: whether the
        call reports on the account itself. A database error is only logged, because the call has been processed
        already."""
        if not about_account and profile_id not in self._verified:
            return
        try:
            async with self._engine.begin() as connection:
                await connection.execute(sql.NOTE_CALL, {"profile_id": profile_id})
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning(
                "could not note a webhook call; an operator who verifies the webhook now may not see it",
                profile_id=profile_id,
                error=type(error).__name__,
            )

    async def wait(self, profile_id: str, seconds: float) -> bool:
        """Whether a call has arrived, or arrives within this time."""
        for _ in range(round(seconds / POLL_SECONDS)):
            if await self._received_at(profile_id) is not None:
                return True
            await asyncio.sleep(POLL_SECONDS)
        return await self._received_at(profile_id) is not None

    async def _received_at(self, profile_id: str) -> datetime | None:
        async with self._engine.connect() as connection:
            return (await connection.execute(sql.RECEIVED, {"profile_id": profile_id})).scalar_one_or_none()
