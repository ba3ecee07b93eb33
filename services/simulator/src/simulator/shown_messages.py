"""Shown messages: the newest messages of each account, which WAHA and Evolution API show on request."""

from collections import defaultdict, deque

from simulator.accounts import AccountKey
from simulator.dialects.dialect import SentMessage

SHOWN_MAX = 200
"""How many messages of an account are kept, in memory. The real gateways keep them in a database."""


class ShownMessages:
    def __init__(self) -> None:
        self._by_account: defaultdict[AccountKey, deque[SentMessage]] = defaultdict(lambda: deque(maxlen=SHOWN_MAX))

    def add(self, key: AccountKey, sent: SentMessage) -> None:
        if key.driver in ("waha", "evolution"):
            self._by_account[key].appendleft(sent)

    def of(self, key: AccountKey) -> list[SentMessage]:
        """The newest message is the first."""
        return list(self._by_account.get(key, ()))

    def forget(self, key: AccountKey) -> None:
        self._by_account.pop(key, None)
