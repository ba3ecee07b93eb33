"""Repeated states: recognises the equal reports that a gateway repeats while it cannot connect a session.

The ingress publishes only the first of such reports. Without a network, Evolution API tries to connect without a pause,
and reports `connecting` about four times a second for each of its sessions.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from spreader.contract.events import ProfileReported

SECONDS = 30.0
"""After this time, an equal report is published again."""
PROFILES_MAX = 10_000
"""When reports of this many profiles are remembered, all are forgotten. Then the next report of each profile is
published."""


@dataclass(slots=True)
class RepeatedStates:
    monotonic: Callable[[], float] = time.monotonic
    _published: dict[str, tuple[ProfileReported, float]] = field(
        default_factory=dict[str, tuple[ProfileReported, float]]
    )

    def is_repeat(self, report: ProfileReported) -> bool:
        """Whether this process has published an equal report shortly before.

        A report that a session works is never a repeat, because another process may have published another state in the
        meantime. A report about a restriction, the quota or the quality is never a repeat either.
        """
        if not _is_only_a_bad_state(report):
            return False
        last = self._published.get(report.profile_id)
        return last is not None and _state(last[0]) == _state(report) and self.monotonic() - last[1] < SECONDS

    def on_published(self, report: ProfileReported) -> None:
        if len(self._published) >= PROFILES_MAX:
            self._published.clear()
        self._published[report.profile_id] = (report, self.monotonic())


def _is_only_a_bad_state(report: ProfileReported) -> bool:
    is_state = report.session is not None and report.session != "working"
    return is_state and report.restriction is None and report.quota is None and report.quality is None


def _state(report: ProfileReported) -> tuple[object, ...]:
    return report.package_id, report.session, report.code, report.restriction, report.quota, report.quality
