"""Counting: the handlers that fold what happened into the counts, and into what closes and opens lanes.

Each record has its effect once: the batch's positions, the marks that make a repeated fact harmless, the counts and the
lanes are one transaction. The states that follow are published by `stats.health.publisher`, which finds them again
after a crash.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from spreader.clock import Now
from spreader.contract.events import CustomerMessage, DeliveryOutcome, ProfileReported
from spreader.kafka.guarded_consumer import Received
from stats.core.closures import signs_and_lifts, signs_from_outcomes
from stats.core.sums import KINDS
from stats.core.tally import Tally, count_contacts, count_customer_messages, count_outcomes, countable, refusals
from stats.counting.lane_closures import LaneClosures
from stats.counting.sql_closures import save_reports
from stats.counting.store import CountStore
from stats.metrics import COUNTED, REPORTS


@dataclass(frozen=True)
class CountingHandlers:
    store: CountStore
    lanes: LaneClosures
    clock: Now
    touch: Callable[[Iterable[str]], None]
    """Told which profiles have new counts, once they are kept."""
    shut: Callable[[Iterable[str]], None]
    """Told whose lanes have changed, or of whom a gateway has spoken."""

    async def on_outcomes(self, batch: Sequence[Received[DeliveryOutcome]]) -> None:
        async with self.store.begin() as unit:
            fresh = await unit.fresh(batch)
            outcomes = countable(fresh)
            tally = count_outcomes(outcomes, await unit.known(outcomes), await unit.unrefused(refusals(fresh)))
            tally = count_contacts(tally, await unit.contacts(tally.contact_keys))
            await unit.save(tally)
            changed = await self.lanes.take(unit.connection, signs_from_outcomes(fresh), (), self.clock())
        self._kept(tally)
        self.shut(changed)

    async def on_customer_messages(self, batch: Sequence[Received[CustomerMessage]]) -> None:
        async with self.store.begin() as unit:
            unseen = await unit.unseen(await unit.fresh(batch))
            places = {(message.profile_id, message.recipient) for message in unseen}
            tally = count_customer_messages(unseen, await unit.contacts(places))
            await unit.save(tally)
        self._kept(tally)

    async def on_reports(self, batch: Sequence[Received[ProfileReported]]) -> None:
        async with self.store.begin() as unit:
            fresh = await unit.fresh(batch)
            await save_reports(unit.connection, fresh)
            told = [signs_and_lifts(report) for report in fresh]
            closing = [sign for found, _ in told for sign in found]
            opening = [each for _, lifts in told for each in lifts]
            changed = await self.lanes.take(unit.connection, closing, opening, self.clock())
        REPORTS.inc(len(fresh))
        self.shut({report.profile_id for report in fresh} | changed)

    def _kept(self, tally: Tally) -> None:
        self.touch(tally.profiles)
        for sums in tally.added.values():
            for kind in KINDS:
                count = getattr(sums, kind)
                if count > 0:  # a contact that answers is taken off the unanswered
                    COUNTED.labels(kind).inc(count)
