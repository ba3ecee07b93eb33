"""Link attempts: stores in Postgres which accounts are being linked. A code is stored encrypted until the attempt
ends."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.configuration.credentials import CredentialSealer
from ingress.core.link_status import VALID_FOR, LinkAttempt
from ingress.sql import link_attempts as sql
from ingress.sql.link_attempts import LinkAttemptRow
from spreader.clock import Now
from spreader.contract.link_answers import LinkMethod
from spreader.runtime.rows import fetched
from spreader.vault import Undecryptable

CODE = "code"
ASK_FOR = timedelta(seconds=60)
"""How long only one process may ask a gateway for a code. After this time another process may ask, because the first
one may have died."""


@dataclass(frozen=True, slots=True)
class StoredAttempt:
    attempt: LinkAttempt
    began_at: datetime


@dataclass(frozen=True, slots=True)
class LinkAttempts:
    engine: AsyncEngine
    sealer: CredentialSealer
    wall_now: Now
    """Wall time, because WhatsApp's codes expire in wall time."""

    async def begin(self, profile_id: str, method: LinkMethod) -> StoredAttempt:
        """Stores a new attempt in place of the profile's earlier one. After that, only the caller may ask the gateway
        for a code."""
        began_at = self.wall_now()
        expires_at = began_at + VALID_FOR
        row = {"profile_id": profile_id, "method": method, "began_at": began_at, "expires_at": expires_at}
        async with self.engine.begin() as connection:
            await connection.execute(sql.BEGIN, {**row, "asked": ASK_FOR})
        return StoredAttempt(LinkAttempt(method, expires_at), began_at)

    async def find(self, profile_id: str) -> StoredAttempt | None:
        async with self.engine.connect() as connection:
            rows = fetched(LinkAttemptRow, await connection.execute(sql.FIND, {"profile_id": profile_id}))
        if not rows:
            return None
        (row,) = rows
        return StoredAttempt(LinkAttempt(row.method, row.expires_at, self._opened(profile_id, row)), row.began_at)

    async def may_ask_for_code(self, profile_id: str, stored: StoredAttempt) -> bool:
        """Whether the caller may ask the gateway for a code. If so, no other caller may ask until this caller has
        called `keep_code`, or until `ASK_FOR` has passed."""
        claim = {"profile_id": profile_id, "began_at": stored.began_at, "asked": ASK_FOR}
        async with self.engine.begin() as connection:
            return (await connection.execute(sql.CLAIM_CODE, claim)).rowcount > 0

    async def keep_code(self, profile_id: str, stored: StoredAttempt, code: str | None) -> None:
        """Stores the code, and ends the caller's right to ask for one. `code` is None if the gateway has given none
        yet."""
        sealed = None if code is None else self.sealer.seal_secrets(profile_id, {CODE: code})
        row = {"profile_id": profile_id, "began_at": stored.began_at, "sealed_code": sealed}
        async with self.engine.begin() as connection:
            await connection.execute(sql.KEEP_CODE, row)

    async def end(self, profile_id: str) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(sql.END, {"profile_id": profile_id})

    def _opened(self, profile_id: str, row: LinkAttemptRow) -> str | None:
        if row.sealed_code is None:
            return None
        try:
            return self.sealer.open(profile_id, row.sealed_code).get(CODE)
        except Undecryptable:
            return None
