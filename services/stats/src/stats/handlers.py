"""Counting: the handlers that fold what happened into the counts.

Each record has its effect once: the batch's positions, the marks that make a repeated fact harmless, and the counts are
one transaction. The states that follow from the counts are published by `stats.publication`, which finds them again
after a crash.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields

from spreader.boundary import Received
from spreader.events import CustomerMessage, DeliveryOutcome
from stats.core.signs import signs
from stats.core.tally import Sums, Tally, countable, fold, receive
from stats.metrics import COUNTED
from stats.postgres import Store


@dataclass(frozen=True)
class Counting:
    store: Store
    touch: Callable[[Iterable[str]], None]
    """Told which profiles have new counts, once they are kept."""

    async def on_outcomes(self, batch: Sequence[Received[DeliveryOutcome]]) -> None:
        async with self.store.begin() as unit:
            fresh = await unit.fresh(batch)
            outcomes = countable(fresh)
            tally = fold(outcomes, await unit.marks(outcomes))
            await unit.save(tally)
            found = signs(fresh)
            await unit.note(found)
        self._kept(tally)
        self.touch({sign.profile_id for sign in found})

    async def on_customer_messages(self, batch: Sequence[Received[CustomerMessage]]) -> None:
        async with self.store.begin() as unit:
            tally = receive(await unit.unseen(await unit.fresh(batch)))
            await unit.save(tally)
        self._kept(tally)

    def _kept(self, tally: Tally) -> None:
        self.touch(tally.profiles)
        for sums in tally.added.values():
            for kind in fields(Sums):
                COUNTED.labels(kind.name).inc(getattr(sums, kind.name))
