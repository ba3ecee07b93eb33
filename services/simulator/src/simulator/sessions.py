"""Session: a profile that was registered with the gateway: its account, its package, its webhook."""

import asyncio
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from simulator.journal import Journal


@dataclass(frozen=True, slots=True)
class Session:
    account: str
    profile_id: str
    package_id: str
    webhook_url: str


class Sessions:
    """All sessions, on disk: the last registration of an account holds."""

    def __init__(self, home: Path, wait_seconds: float) -> None:
        self._journal = Journal(home / "sessions.jsonl")
        self._wait_seconds = wait_seconds
        self._by_account: dict[str, Session] = {}
        self._by_profile: dict[str, Session] = {}
        self._registered = asyncio.Event()

    def open(self) -> None:
        self._journal.open(lambda _place, line: self._take(Session(**json.loads(line))))
        if self._journal.lines > len(self._by_account):
            self._journal.rewrite(map(_line, self._by_account.values()))

    def close(self) -> None:
        self._journal.close()

    def register(self, session: Session) -> None:
        if self._by_account.get(session.account) == session:
            return
        self._journal.append(_line(session))
        self._take(session)
        self._registered.set()
        self._registered = asyncio.Event()

    def all(self) -> list[Session]:
        return list(self._by_account.values())

    def of_account(self, account: str) -> Session | None:
        return self._by_account.get(account)

    def named(self, profile_or_account: str) -> Session | None:
        return self._by_profile.get(profile_or_account) or self._by_account.get(profile_or_account)

    async def wait_for(self, profile_or_account: str) -> Session | None:
        """The session, or None when it has not been registered within the setting's seconds."""
        session = self.named(profile_or_account)
        if session is not None:
            return session
        try:
            async with asyncio.timeout(self._wait_seconds):
                while (session := self.named(profile_or_account)) is None:
                    await self._registered.wait()
        except TimeoutError:
            return None
        return session

    def _take(self, session: Session) -> None:
        before = self._by_account.get(session.account)
        if before is not None and before.profile_id != session.profile_id:
            self._by_profile.pop(before.profile_id, None)
        self._by_account[session.account] = session
        self._by_profile[session.profile_id] = session


def _line(session: Session) -> bytes:
    return json.dumps(asdict(session), separators=(",", ":")).encode()
