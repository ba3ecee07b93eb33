"""Key report: how many credentials each secret key has sealed, and which keys are no longer needed."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

Place = Literal["stored", "waiting", "published", "superseded"]
NEEDED: tuple[Place, ...] = ("stored", "waiting", "published")
"""The places from which services still read credentials. No service reads superseded records."""

_WORDS: dict[Place, str] = {
    "stored": "in ingress.profile",
    "waiting": "in ingress.outbox",
    "published": "in the topic",
    "superseded": "in superseded records of the topic",
}
_NAMED_MAX = 20


@dataclass(frozen=True, slots=True)
class SealedCopy:
    """One sealed copy of a profile's credentials. `key`: the id of the key that sealed it. None if that key is not
    configured."""

    place: Place
    profile_id: str
    key: str | None


@dataclass
class KeyReport:
    """`key_ids`: the ids of the configured keys, newest first."""

    key_ids: Sequence[str]
    _counts: Counter[tuple[str | None, Place]] = field(default_factory=Counter[tuple[str | None, Place]], init=False)
    _unknown: set[str] = field(default_factory=set[str], init=False)

    def add(self, copies: Iterable[SealedCopy]) -> None:
        for copy in copies:
            self._counts[copy.key, copy.place] += 1
            if copy.key is None and copy.place in NEEDED:
                self._unknown.add(copy.profile_id)

    def is_needed(self, key: str | None) -> bool:
        return any(self._counts[key, place] for place in NEEDED)

    @property
    def is_finished(self) -> bool:
        """Whether only the newest key is needed."""
        return not any(self.is_needed(key) for key in (*self.key_ids[1:], None))

    def lines(self) -> list[str]:
        newest, *older = self.key_ids
        shown = [f"key {newest} (newest): {self._counted(newest)}"]
        shown += [f"key {key}: {self._counted(key)}" for key in older]
        shown += [f"unknown keys: {self._counted(None)}"] if any(self._counts[None, place] for place in _WORDS) else []
        return [*shown, "", *self._advice(older)]

    def _counted(self, key: str | None) -> str:
        return ", ".join(f"{self._counts[key, place]} {words}" for place, words in _WORDS.items())

    def _advice(self, older: Sequence[str]) -> list[str]:
        advice = [self._advice_on(key) for key in older] or ["There is only one key, so no key can be taken out."]
        if self._unknown:
            named = ", ".join(sorted(self._unknown)[:_NAMED_MAX])
            advice.append(
                f"No key opens the credentials of {len(self._unknown)} profiles ({named}). They cannot send. Add the "
                "key that sealed them to SPREADER_SECRET_KEYS again, or set their credentials again."
            )
        return advice

    def _advice_on(self, key: str) -> str:
        if self.is_needed(key):
            return (
                f"Keep the key {key}: it is still needed. Ingress seals these credentials again some minutes after its "
                "start (SPREADER_RESEAL_AFTER_SECONDS). Run this command again later."
            )
        if self._counts[key, "superseded"]:
            return (
                f"You may take out the key {key}. Nothing reads the superseded records that it sealed. Kafka removes "
                "them within about two days. Until then, keep the key secret."
            )
        return f"You may take out the key {key}: nothing is sealed with it."
