"""Share: how many of so many, and what may be said of the true share behind a few of them."""

import math
from dataclasses import dataclass

TRIALS_EXACT_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `trials`."""

    hits: int
    trials: int

    def __add__(self, other: "Share") -> "Share":
        return Share(self.hits + other.hits, self.trials + other.trials)

    @property
    def exact(self) -> float | None:
        return self.hits / self.trials if self.trials else None

    @property
    def text(self) -> str:
        return f"{self.hits} of {self.trials}"


NONE = Share(0, 0)


@dataclass(frozen=True, slots=True)
class Prior:
    """What is expected before anything is seen: a share, as firm as if it had been seen in `strength` trials (Beta)."""

    share: float
    strength: float

    def smoothed(self, seen: Share) -> float:
        """The posterior mean: near the prior while little was seen, near the exact share when much was."""
        return (seen.hits + self.share * self.strength) / (seen.trials + self.strength)

    def sharpened(self, seen: Share) -> "Prior":
        """The same firmness about what was seen of a larger group."""
        return Prior(self.smoothed(seen), self.strength)


def probability_below(seen: Share, bound: float) -> float:
    """How probable it is that the true share is under `bound`, when any share was as likely before (Beta(1, 1)).

    The distribution of Beta(h + 1, n - h + 1) at x is the chance of more than h hits in n + 1 trials of chance x.
    """
    if bound <= 0:
        return 0.0
    if bound >= 1:
        return 1.0
    if seen.trials > TRIALS_EXACT_MAX:
        mean, trials = (seen.hits + 1) / (seen.trials + 2), seen.trials + 3
        return 0.5 * math.erfc((mean - bound) / math.sqrt(2 * mean * (1 - mean) / trials))
    trials = seen.trials + 1
    log_hit, log_miss = math.log(bound), math.log1p(-bound)
    few = (
        math.exp(_log_choose(trials, hits) + hits * log_hit + (trials - hits) * log_miss)
        for hits in range(seen.hits + 1)
    )
    return max(0.0, 1.0 - math.fsum(few))


def _log_choose(trials: int, hits: int) -> float:
    return math.lgamma(trials + 1) - math.lgamma(hits + 1) - math.lgamma(trials - hits + 1)
