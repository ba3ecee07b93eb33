"""Account: a profile that is registered with the gateway: its name there, its package, its keys, its webhook."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import TypeAdapter

from simulator.core.behaviour import Behaviour
from simulator.core.failures import Driver
from simulator.journal import Journal

Engine = Literal["NOWEB", "WEBJS", "GOWS"]


class Key(NamedTuple):
    """What names an account: two gateways may each have one called `default`."""

    driver: Driver
    account: str


@dataclass(frozen=True, slots=True)
class Account:
    account: str
    profile_id: str
    package_id: str
    webhook_url: str
    driver: Driver = "simulator"
    phone: str = ""
    credentials: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    waba_id: str = ""
    """Cloud API: the business account, which is also the portfolio that its limits hold for."""
    engine: Engine = "NOWEB"
    """WAHA: whose shapes it answers in."""
    behaviour: Behaviour = field(default_factory=Behaviour)

    @property
    def key(self) -> Key:
        return Key(self.driver, self.account)


ACCOUNT = TypeAdapter(Account)


class Accounts:
    """All accounts, on disk: the last registration of a key holds."""

    def __init__(self, home: Path, wait_seconds: float) -> None:
        self._journal = Journal(home / "accounts.jsonl")
        self._wait_seconds = wait_seconds
        self._by_key: dict[Key, Account] = {}
        self._by_profile: dict[str, Key] = {}
        self._by_name: dict[str, Key] = {}
        self._registered = asyncio.Event()

    def open(self) -> None:
        self._journal.open(lambda _place, line: self._replay(json.loads(line)))
        if self._journal.lines > len(self._by_key):
            self._journal.rewrite(map(_line, self._by_key.values()))

    def close(self) -> None:
        self._journal.close()

    def register(self, account: Account) -> None:
        if self._by_key.get(account.key) == account:
            return
        self._journal.append(_line(account))
        self._take(account)
        self._registered.set()
        self._registered = asyncio.Event()

    def remove(self, key: Key) -> bool:
        """Whether there was one."""
        if key not in self._by_key:
            return False
        self._journal.append(json.dumps({"removed": key}).encode())
        del self._by_key[key]
        return True

    def all(self) -> list[Account]:
        return list(self._by_key.values())

    def of(self, key: Key) -> Account | None:
        return self._by_key.get(key)

    def named(self, profile_or_account: str) -> Account | None:
        """The one with this profile's id, else one that is called so at its gateway; of several, the latest."""
        by_profile = self._of(self._by_profile.get(profile_or_account))
        if by_profile is not None and by_profile.profile_id == profile_or_account:
            return by_profile
        return self._of(self._by_name.get(profile_or_account))

    async def wait_for(self, profile_or_account: str) -> Account | None:
        """The account, or None when it has not been registered within the setting's seconds."""
        account = self.named(profile_or_account)
        if account is not None:
            return account
        try:
            async with asyncio.timeout(self._wait_seconds):
                while (account := self.named(profile_or_account)) is None:
                    await self._registered.wait()
        except TimeoutError:
            return None
        return account

    def _replay(self, line: dict[str, Any]) -> None:
        if "removed" in line:
            self._by_key.pop(Key(*line["removed"]), None)
        else:
            self._take(ACCOUNT.validate_python(line))

    def _take(self, account: Account) -> None:
        self._by_key[account.key] = account
        self._by_profile[account.profile_id] = account.key
        self._by_name[account.account] = account.key

    def _of(self, key: Key | None) -> Account | None:
        return None if key is None else self._by_key.get(key)


def _line(account: Account) -> bytes:
    return ACCOUNT.dump_json(account)
