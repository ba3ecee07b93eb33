"""Attention: who has to look again when something about profiles has changed."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from stats.health.evaluator import Evaluator
from stats.health.publisher import StatePublisher


@dataclass(frozen=True, slots=True)
class Attention:
    publication: StatePublisher
    judging: Evaluator
    recount: Callable[[Iterable[str]], None] = lambda profiles: None
    """Told who may have sent."""

    def on_counts(self, profiles: Iterable[str]) -> None:
        changed = set(profiles)
        self.publication.touch(changed)
        self.judging.look_at(changed)
        self.recount(changed)

    def on_lanes(self, profiles: Iterable[str]) -> None:
        """Whose lanes have changed, or of whom a gateway has spoken."""
        changed = set(profiles)
        self.publication.touch(changed)
        self.judging.look_now(changed)
