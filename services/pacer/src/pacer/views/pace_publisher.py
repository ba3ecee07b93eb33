"""Pace publisher: publishes the pace of each profile when a release pass has changed it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pacer.core.explanations import NOTHING_WAITS
from pacer.core.policy import Release, Wait
from pacer.core.release_pass import Due, PassResult
from pacer.sql.queue_lengths import QueueLength
from pacer.views.queue_lengths import QueueLengths
from spreader.contract.events import ProfilePace
from spreader.kafka.bus import Bus
from spreader.runtime.loop import Loop

PUBLISH_EVERY_SECONDS = 1.0


@dataclass
class PacePublisher:
    """Publishes only the newest pace of each profile, at most once a second. That is enough for the console, and for
    the router when it shares out deliveries."""

    bus: Bus
    queue_lengths: QueueLengths
    _changed: dict[str, ProfilePace] = field(default_factory=dict[str, ProfilePace], init=False)
    _published: dict[str, ProfilePace] = field(default_factory=dict[str, ProfilePace], init=False)

    def loops(self) -> Sequence[Loop]:
        return Loop("tell the pace", self.publish), Loop("count long queues", self.queue_lengths.count_one)

    def on_pass(self, results: Sequence[tuple[Due, PassResult]], now: datetime) -> None:
        for due, result in results:
            if result.decision is not None:
                self._changed[due.profile_id] = _pace(due, result.decision, now)
            elif due.profile_id in self._published:
                update = {"waiting": 0, "next_release": None, "bound": NOTHING_WAITS, "at": now}
                self._changed[due.profile_id] = self._published[due.profile_id].model_copy(update=update)

    async def publish(self) -> float:
        """Publish the paces that changed; returns the wall seconds until the next call.

        If publishing fails, the next call publishes the same paces.
        """
        changed, self._changed = self._changed, {}
        paces = [pace for pace in changed.values() if not _is_same(pace, self._published.get(pace.profile_id))]
        try:
            held = await self.queue_lengths.of([pace.profile_id for pace in paces])
            await self.bus.publish(*(_with_held(pace, held.get(pace.profile_id)) for pace in paces))
        except BaseException:
            self._changed = {**changed, **self._changed}
            raise
        self._published |= {pace.profile_id: pace for pace in paces}
        return PUBLISH_EVERY_SECONDS


def _with_held(pace: ProfilePace, count: QueueLength | None) -> ProfilePace:
    if count is None:
        return pace
    return pace.model_copy(update={"held": count.held, "assigned_until": count.assigned_until})


def _pace(due: Due, decision: Release | Wait, now: datetime) -> ProfilePace:
    pace = decision.pace
    return ProfilePace(
        profile_id=due.profile_id,
        package_id=due.package_id,
        waiting=due.facts.waiting,
        last_release=now if isinstance(decision, Release) else due.facts.last_release,
        next_release=now if isinstance(decision, Release) else decision.until,
        bound="released" if isinstance(decision, Release) else decision.bound,
        bounds={} if isinstance(decision, Release) else {str(bound): until for bound, until in decision.bounds.items()},
        base_seconds=pace.base_seconds,
        pressure=pace.pressure,
        tempo=pace.tempo,
        mean_seconds=pace.mean_seconds,
        gap_min_seconds=pace.gap(0).total_seconds(),
        gap_max_seconds=pace.gap(1).total_seconds(),
        limit_factor=due.rules.factor,
        warm_up=due.rules.warm_up,
        limits=due.rules.limits,
        at=now,
    )


def _is_same(pace: ProfilePace, published: ProfilePace | None) -> bool:
    """Whether the two paces are equal except for their time."""
    return published is not None and pace.model_copy(update={"at": published.at}) == published
