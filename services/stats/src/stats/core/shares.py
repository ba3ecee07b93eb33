"""Share: hits of trials, and what a small sample shows about the true share."""

import math
from dataclasses import dataclass

TRIALS_EXACT_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Share:
    """A share: `hits` out of `trials`."""

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
    """The expected share before any observation, weighted as if observed in `strength` trials (a Beta prior)."""

    share: float
    strength: float

    def smoothed(self, seen: Share) -> float:
        """The posterior mean: near the prior for a small sample, near the exact share for a large one."""
        return (seen.hits + self.share * self.strength) / (seen.trials + self.strength)

    def sharpened(self, seen: Share) -> "Prior":
        """A prior of the same strength. Its share is the posterior mean after `seen`. `seen` is what is usual: the
        share of the whole package, or the profile's own share in earlier days."""
        return Prior(self.smoothed(seen), self.strength)


def probability_below(seen: Share, bound: float) -> float:
    """The probability that the true share is below `bound`, with a uniform prior (Beta(1, 1)).

    With h hits in n trials, the true share has the distribution Beta(h + 1, n - h + 1). Take n + 1 trials, each of
    which is a hit with probability x. The distribution function at x is the probability that more than h of these
    trials are hits. Above 1,000 trials the normal approximation is used.
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
