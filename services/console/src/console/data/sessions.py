"""Sessions: who is signed in. A session is stored in an encrypted cookie of the browser, and not on the server."""

import base64
import hashlib
import json
import os
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography.fernet import Fernet, InvalidToken

from spreader.clock import Now

COOKIE = "spreader_session"


@dataclass(frozen=True, slots=True)
class Session:
    session_id: str
    key: str = field(repr=False)
    """The API key that the operator signed in with."""
    operator: str
    """The name that the history of changes shows."""
    until: datetime


class Sessions:
    """Creates and checks session cookies.

    It remembers the ids of sessions that were signed out. It forgets an id when its session would have expired anyway.
    """

    def __init__(self, secret: str | None, lifetime: timedelta, now: Now) -> None:
        seed = os.urandom(32) if not secret else hashlib.sha256(b"spreader console" + secret.encode()).digest()
        self._fernet = Fernet(base64.urlsafe_b64encode(seed))
        self._lifetime = lifetime
        self._now = now
        self._signed_out: dict[str, datetime] = {}

    @property
    def lifetime_seconds(self) -> int:
        return int(self._lifetime.total_seconds())

    def new_cookie(self, key: str, operator: str) -> str:
        until = (self._now() + self._lifetime).isoformat()
        content = {"id": os.urandom(12).hex(), "key": key, "operator": operator, "until": until}
        return self._fernet.encrypt(json.dumps(content).encode()).decode()

    def read(self, cookie: str | None) -> Session | None:
        """The session in a cookie. None if there is no cookie, if the console did not make it, or if the session has
        ended."""
        try:
            content = json.loads(self._fernet.decrypt(cookie or ""))
        except (InvalidToken, ValueError):  # ValueError: the cookie has characters that are not ASCII
            return None
        session = Session(content["id"], content["key"], content["operator"], datetime.fromisoformat(content["until"]))
        return session if self.is_valid(session) else None

    def is_valid(self, session: Session) -> bool:
        """Whether the session has neither expired nor been signed out."""
        return session.session_id not in self._signed_out and self._now() < session.until

    def sign_out(self, session: Session) -> None:
        """End the session. After that, `read` accepts no copy of the session's cookie."""
        now = self._now()
        self._signed_out = {session_id: until for session_id, until in self._signed_out.items() if until > now}
        self._signed_out[session.session_id] = session.until
