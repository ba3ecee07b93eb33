"""Counting handlers: count the events of a batch, and close or open lanes because of them.

Each record takes effect once, because one transaction saves the offsets of the batch, the marks of its deliveries, the
counts and the closures. Later, `stats.health.publisher` publishes the changed profile states. After a crash, the
publisher finds the states that were not published.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from spreader.clock import Now
from spreader.contract.events import CustomerMessage, DeliveryOutcome, ProfileReported
from spreader.erasure.postgres import outcome_fact
from spreader.kafka.guarded_consumer import Received
from stats.core.closures import signs_and_lifts, signs_from_outcomes
from stats.core.sums import KINDS
from stats.core.tally import (
    Tally,
    count_contacts,
    count_customer_messages,
    count_outcomes,
    countable,
    refusals,
    writers,
)
from stats.counting.lane_closures import LaneClosures
from stats.counting.sql_closures import save_reports
from stats.counting.store import CountStore
from stats.metrics import COUNTED, LATE_RECEIPTS, REPORTS

OnProfiles = Callable[[Iterable[str]], None]


def notify_all(*callbacks: OnProfiles) -> OnProfiles:
    """One callback that calls each of `callbacks` with the same profiles."""

    def notify(profiles: Iterable[str]) -> None:
        changed = set(profiles)
        for callback in callbacks:
            callback(changed)

    return notify


@dataclass(frozen=True)
class CountingHandlers:
    store: CountStore
    closures: LaneClosures
    clock: Now
    on_counts: OnProfiles
    """Called after the commit, with the profiles that have new counts."""
    on_lanes: OnProfiles
    """Called after the commit, with the profiles whose lanes changed and those that a gateway reported on."""

    async def on_outcomes(self, batch: Sequence[Received[DeliveryOutcome]]) -> None:
        async with self.store.begin() as transaction:
            new = await transaction.new_events(batch)
            outcomes = countable(new)
            outcomes = await transaction.without_erased(outcomes, [outcome_fact(outcome) for outcome in outcomes])
            counted = await transaction.lock_deliveries(outcomes)
            tally = count_outcomes(outcomes, counted, await transaction.new_refusals(refusals(new)))
            tally = count_contacts(tally, await transaction.lock_contacts(tally.contact_keys))
            await transaction.save(tally)
            changed = await self.closures.apply(transaction.connection, signs_from_outcomes(new), (), self.clock())
        self._after_commit(tally)
        self.on_lanes(changed)

    async def on_customer_messages(self, batch: Sequence[Received[CustomerMessage]]) -> None:
        async with self.store.begin() as transaction:
            messages = await transaction.new_customer_messages(await transaction.new_events(batch))
            facts = [(message.recipient, message.at) for message in messages]
            messages = await transaction.without_erased(messages, facts)
            tally = count_customer_messages(messages, await transaction.lock_contacts(writers(messages)))
            await transaction.save(tally)
        self._after_commit(tally)

    async def on_reports(self, batch: Sequence[Received[ProfileReported]]) -> None:
        async with self.store.begin() as transaction:
            reports = await transaction.new_events(batch)
            await save_reports(transaction.connection, reports)
            evidence = [signs_and_lifts(report) for report in reports]
            signs = [sign for report_signs, _ in evidence for sign in report_signs]
            lifts = [lift for _, report_lifts in evidence for lift in report_lifts]
            changed = await self.closures.apply(transaction.connection, signs, lifts, self.clock())
        REPORTS.inc(len(reports))
        self.on_lanes({report.profile_id for report in reports} | changed)

    def _after_commit(self, tally: Tally) -> None:
        self.on_counts(tally.profiles)
        LATE_RECEIPTS.inc(tally.late_receipts)
        for sums in tally.added.values():
            for kind in KINDS:
                count = getattr(sums, kind)
                if count > 0:  # an answer adds -1 to `unanswered`
                    COUNTED.labels(kind).inc(count)
