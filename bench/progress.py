"""Progress: one line per measurement on stderr, with the seconds since the start."""

import sys
import time
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Progress:
    began: float = field(default_factory=time.monotonic)

    def say(self, what: str) -> None:
        print(f"{time.monotonic() - self.began:6.1f} s  {what}", file=sys.stderr, flush=True)
