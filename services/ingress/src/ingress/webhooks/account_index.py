"""Account: a profile as its gateway knows it, found in the configuration that this process has read."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spreader.config_cache import CompactedTable
from spreader.contract.configuration import Driver, Gateway, Package, Profile
from spreader.contract.events import PackageConfigured


@dataclass(frozen=True, slots=True)
class Placed:
    """A profile and the package that it is in."""

    package: Package
    profile: Profile

    @property
    def gateway(self) -> Gateway:
        return self.profile.gateway


_Key = tuple[Driver, str, str]


class Accounts:
    """Found by the name at the gateway, by the number, or by who holds them. Built anew when a package has changed."""

    def __init__(self, packages: CompactedTable[PackageConfigured]) -> None:
        self._packages = packages
        self._seen: Mapping[str, PackageConfigured] = {}
        self._named: dict[_Key, Placed] = {}
        self._numbered: dict[_Key, Placed] = {}
        self._held: dict[str, list[Placed]] = {}

    def named(self, at: Gateway, name: str) -> Placed | None:
        """The profile of this name at the same gateway."""
        self._refresh()
        return self._named.get(_key(at, name))

    def numbered(self, at: Gateway, phone: str) -> Placed | None:
        self._refresh()
        return self._numbered.get(_key(at, phone))

    def held_with(self, placed: Placed) -> Sequence[Placed]:
        """All that stand or fall with it, itself among them."""
        self._refresh()
        holder = placed.gateway.holder
        return [placed] if holder is None else self._held.get(holder, [placed])

    def _refresh(self) -> None:
        rows = self._packages.rows
        if len(rows) == len(self._seen) and all(self._seen.get(name) is row for name, row in rows.items()):
            return
        self._seen = dict(rows)
        everyone = [Placed(row.package, profile) for row in self._seen.values() for profile in row.package.profiles]
        self._named = {_key(each.gateway, each.gateway.account): each for each in everyone}
        self._numbered = {_key(each.gateway, each.profile.phone): each for each in everyone}
        held: defaultdict[str, list[Placed]] = defaultdict(list)
        for each in everyone:
            if each.gateway.holder is not None:
                held[each.gateway.holder].append(each)
        self._held = dict(held)


def _key(at: Gateway, name: str) -> _Key:
    return at.driver, at.base_url.rstrip("/"), name
