"""Accounts: the profiles that are registered at the simulated gateways. A file keeps their credentials and webhooks."""

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


class AccountKey(NamedTuple):
    """Identifies an account. Two gateways may each have an account with the same name, such as `default`."""

    driver: Driver
    account: str


@dataclass(frozen=True, slots=True)
class GatewayAccount:
    account: str
    profile_id: str
    package_id: str
    webhook_url: str
    driver: Driver = "simulator"
    phone: str = ""
    credentials: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    waba_id: str = ""
    """Cloud API: the business account. All its numbers share one limit (`core/portfolio`)."""
    engine: Engine = "NOWEB"
    """WAHA: the engine whose message formats the account uses."""
    behaviour: Behaviour = field(default_factory=Behaviour)
    config: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    """The configuration that a caller of the gateway's own API has set: a WAHA session's, or an Evolution webhook."""

    @property
    def key(self) -> AccountKey:
        return AccountKey(self.driver, self.account)


ADAPTER = TypeAdapter(GatewayAccount)


class AccountRegistry:
    """All accounts. A new registration of an account replaces the older one."""

    def __init__(self, home: Path, wait_seconds: float) -> None:
        self._journal = Journal(home / "accounts.jsonl")
        self._wait_seconds = wait_seconds
        self._by_key: dict[AccountKey, GatewayAccount] = {}
        self._by_profile: dict[str, AccountKey] = {}
        self._by_name: dict[str, AccountKey] = {}
        self._registered = asyncio.Event()

    def open(self) -> None:
        self._journal.open(lambda _offset, line: self._replay(json.loads(line)))
        if self._journal.lines > len(self._by_key):
            self._journal.rewrite(map(_line, self._by_key.values()))

    def close(self) -> None:
        self._journal.close()

    def register(self, account: GatewayAccount) -> None:
        if self._by_key.get(account.key) == account:
            return
        self._journal.append(_line(account))
        self._add(account)
        self._registered.set()
        self._registered = asyncio.Event()

    def remove(self, key: AccountKey) -> bool:
        """Remove the account. Returns whether it existed."""
        if key not in self._by_key:
            return False
        self._journal.append(json.dumps({"removed": key}).encode())
        del self._by_key[key]
        return True

    def all(self) -> list[GatewayAccount]:
        return list(self._by_key.values())

    def get(self, key: AccountKey) -> GatewayAccount | None:
        return self._by_key.get(key)

    def find(self, profile_or_account: str) -> GatewayAccount | None:
        """The account with this profile id. If there is none, the last registered account with this name."""
        by_profile = self._get(self._by_profile.get(profile_or_account))
        if by_profile is not None and by_profile.profile_id == profile_or_account:
            return by_profile
        return self._get(self._by_name.get(profile_or_account))

    async def wait_for(self, profile_or_account: str) -> GatewayAccount | None:
        """Wait until the account is registered, and return it. None if that takes longer than the configured time."""
        account = self.find(profile_or_account)
        if account is not None:
            return account
        try:
            async with asyncio.timeout(self._wait_seconds):
                while (account := self.find(profile_or_account)) is None:
                    await self._registered.wait()
        except TimeoutError:
            return None
        return account

    def _replay(self, line: dict[str, Any]) -> None:
        if "removed" in line:
            self._by_key.pop(AccountKey(*line["removed"]), None)
        else:
            self._add(ADAPTER.validate_python(line))

    def _add(self, account: GatewayAccount) -> None:
        self._by_key[account.key] = account
        self._by_profile[account.profile_id] = account.key
        self._by_name[account.account] = account.key

    def _get(self, key: AccountKey | None) -> GatewayAccount | None:
        return None if key is None else self._by_key.get(key)


def _line(account: GatewayAccount) -> bytes:
    return ADAPTER.dump_json(account)
