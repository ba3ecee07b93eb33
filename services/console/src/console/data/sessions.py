"""Sessions: who is signed in. The cookie holds it sealed: the browser can neither read the API key nor change it."""

import base64
import hashlib
import json
import os
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.fernet import Fernet, InvalidToken

from spreader.clock import Now

COOKIE = "spreader_session"


@dataclass(frozen=True, slots=True)
class Session:
    session_id: str
    key: str
    """The API key that its owner signed in with."""
    operator: str
    """Whom the history of changes names."""
    until: datetime


class Sessions:
    """Nothing is kept of a session but the ids of those that were ended, until they would end anyway."""

    def __init__(self, secret: str | None, lasts: timedelta, now: Now) -> None:
        seed = os.urandom(32) if not secret else hashlib.sha256(b"spreader console" + secret.encode()).digest()
        self._fernet = Fernet(base64.urlsafe_b64encode(seed))
        self._lasts = lasts
        self._now = now
        self._ended: dict[str, datetime] = {}

    @property
    def seconds(self) -> int:
        return int(self._lasts.total_seconds())

    def begin(self, key: str, operator: str) -> str:
        """The cookie of a new session."""
        until = (self._now() + self._lasts).isoformat()
        held = {"id": os.urandom(12).hex(), "key": key, "operator": operator, "until": until}
        return self._fernet.encrypt(json.dumps(held).encode()).decode()

    def read(self, cookie: str | None) -> Session | None:
        """None: nobody is signed in with this."""
        try:
            held = json.loads(self._fernet.decrypt(cookie or ""))
        except InvalidToken:
            return None
        session = Session(held["id"], held["key"], held["operator"], datetime.fromisoformat(held["until"]))
        return session if self.holds(session) else None

    def holds(self, session: Session) -> bool:
        """Whether it has neither ended nor been ended."""
        return session.session_id not in self._ended and self._now() < session.until

    def end(self, session: Session) -> None:
        """From now on its cookie is worth nothing, wherever it is."""
        now = self._now()
        self._ended = {each: until for each, until in self._ended.items() if until > now}
        self._ended[session.session_id] = session.until
