"""Problem kinds: every problem that stats returns."""

from spreader.http.problems import COMMON_KINDS, ProblemKind

TOO_MANY_EXPORTS = ProblemKind("too-many-exports", 429, "Too many exports at once")
KINDS = (*COMMON_KINDS, TOO_MANY_EXPORTS)
