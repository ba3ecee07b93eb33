"""Account index: finds profiles by the names that gateways use for them, in the configuration that this process has
read."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spreader.config_cache import CompactedTable
from spreader.contract.configuration import Driver, Gateway, Package, Profile
from spreader.contract.events import PackageConfigured


@dataclass(frozen=True, slots=True)
class ProfileAccount:
    """A profile with its package."""

    package: Package
    profile: Profile

    @property
    def gateway(self) -> Gateway:
        return self.profile.gateway


_Key = tuple[Driver, str, str]
"""The driver and the base URL of a gateway, and an account name or a phone number at this gateway."""


class AccountIndex:
    """Finds profiles by account name, phone number or holder. It is rebuilt when a package has changed."""

    def __init__(self, packages: CompactedTable[PackageConfigured]) -> None:
        self._packages = packages
        self._indexed: Mapping[str, PackageConfigured] = {}
        self._by_account: dict[_Key, ProfileAccount] = {}
        self._by_phone: dict[_Key, ProfileAccount] = {}
        self._by_holder: dict[str, list[ProfileAccount]] = {}

    def by_account(self, gateway: Gateway, account: str) -> ProfileAccount | None:
        """The profile with this account name at this gateway."""
        self._refresh()
        return self._by_account.get(_key(gateway, account))

    def by_phone(self, gateway: Gateway, phone: str) -> ProfileAccount | None:
        """The profile with this phone number at this gateway."""
        self._refresh()
        return self._by_phone.get(_key(gateway, phone))

    def of_same_holder(self, account: ProfileAccount) -> Sequence[ProfileAccount]:
        """All profiles with the same holder, including `account` itself."""
        self._refresh()
        holder = account.gateway.holder
        return [account] if holder is None else self._by_holder.get(holder, [account])

    def _refresh(self) -> None:
        rows = self._packages.rows
        if len(rows) == len(self._indexed) and all(self._indexed.get(name) is row for name, row in rows.items()):
            return
        self._indexed = dict(rows)
        accounts = [
            ProfileAccount(row.package, profile) for row in self._indexed.values() for profile in row.package.profiles
        ]
        self._by_account = {_key(account.gateway, account.gateway.account): account for account in accounts}
        self._by_phone = {_key(account.gateway, account.profile.phone): account for account in accounts}
        by_holder: defaultdict[str, list[ProfileAccount]] = defaultdict(list)
        for account in accounts:
            if account.gateway.holder is not None:
                by_holder[account.gateway.holder].append(account)
        self._by_holder = dict(by_holder)


def _key(gateway: Gateway, name: str) -> _Key:
    return gateway.driver, gateway.base_url.rstrip("/"), name
