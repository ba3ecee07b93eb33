"""Generated outcomes: records of many deliveries, and a plain recount of them that shares no code with stats."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from spreader.clock import wall_now
from spreader.contract.configuration import Gateway, Package, Profile
from spreader.contract.events import DeliveryOutcome, PackageConfigured, Status
from spreader.kafka.envelope import Envelope, encode

PACKAGES, PROFILES_A_PACKAGE = 10, 20
DOUBLED_SHARE = 0.2
LADDER: tuple[Status, ...] = ("sent", "acknowledged", "delivered", "read")
SPANS = {"hour": 60, "two_hours": 120, "three_hours": 180, "day": 1440, "week": 10_080}
MinuteCounts = Counter[tuple[str, datetime, str]]
"""Counts by profile, minute and kind."""


@dataclass(frozen=True, slots=True)
class GeneratedOutcomes:
    histories: Sequence[Sequence[DeliveryOutcome]]
    """The outcomes of each delivery in order."""

    @classmethod
    def generate(
        cls, count: int, first: int, chance: random.Random, earliest: datetime, latest: datetime
    ) -> "GeneratedOutcomes":
        """At least `count` outcomes. Their deliveries are numbered from `first`, and begin between `earliest` and
        `latest`."""
        histories: list[Sequence[DeliveryOutcome]] = []
        made = 0
        while made < count:
            history = _history(chance, first + len(histories), earliest + chance.random() * (latest - earliest))
            histories.append(history)
            made += len(history)
        return cls(histories)

    def records(self, chance: random.Random, doubled_share: float) -> list[Envelope]:
        """The records of all deliveries, mixed at random. Only the records of the same delivery stay in order. Some
        records come twice in a row, and some come again later."""
        left = [list(history) for history in self.histories]
        order = [number for number, history in enumerate(left) for _ in history]
        chance.shuffle(order)
        written: list[DeliveryOutcome] = []
        for number in order:
            written.append(left[number].pop(0))
            if chance.random() < doubled_share:
                written.append(written[-1])
            if chance.random() < doubled_share / 2:
                written.append(chance.choice(written))
        return [encode(each, "bench", each.at) for each in written]

    def recount(self) -> MinuteCounts:
        counted: MinuteCounts = Counter()
        for history in self.histories:
            reached = -1
            for outcome in history:
                profile, minute = str(outcome.profile_id), outcome.at.astimezone(UTC).replace(second=0, microsecond=0)
                if outcome.status in LADDER:
                    for step in LADDER[reached + 1 : LADDER.index(outcome.status) + 1]:
                        counted[profile, minute, step] += 1
                        if step == "sent" and outcome.lane == "open":
                            counted.update(
                                (profile, minute, each) for each in ("sent_open", "new_contacts", "unanswered")
                            )
                    reached = max(reached, LADDER.index(outcome.status))
                else:
                    counted[profile, minute, f"class {outcome.failure}"] += 1
                    counted[profile, minute, "failed"] += outcome.status == "failed"
        return counted


def windows(counted: MinuteCounts, at: datetime) -> dict[tuple[str, str], Counter[str]]:
    """The counts of each rolling window that ends at `at`, by profile and window."""
    until = at.replace(second=0, microsecond=0)
    found: dict[tuple[str, str], Counter[str]] = {}
    for (profile, minute, name), number in counted.items():
        for span, minutes in SPANS.items():
            if until - timedelta(minutes=minutes) < minute <= until:
                found.setdefault((profile, span), Counter())[name] += number
    return found


def differences(counted: MinuteCounts, at: datetime, states: Sequence[Mapping[str, Any]]) -> list[str]:
    """The windows in which the states of stats differ from the recount."""
    expected = windows(counted, at)
    found: list[str] = []
    for state in states:
        for span in SPANS:
            counts = dict(state["windows"][span])
            counts |= {f"class {name}": number for name, number in counts.pop("failures").items()}
            seen = Counter({name: number for name, number in counts.items() if number})
            wanted = Counter({k: v for k, v in expected.get((state["profile_id"], span), Counter()).items() if v})
            if seen != wanted:
                found.append(f"{state['profile_id']}, {span}: {dict(seen)} instead of {dict(wanted)}")
    return found


def configuration() -> list[Envelope]:
    return [
        encode(PackageConfigured(package=_package(number), at=wall_now()), "bench", wall_now())
        for number in range(PACKAGES)
    ]


def _package(number: int) -> Package:
    name = f"package-{number}"
    members = tuple(
        Profile(
            profile_id=f"{name}-{number_in_package}",
            name=str(number_in_package),
            phone="201000000001",
            gateway=Gateway(driver="simulator", base_url="http://127.0.0.1:1", account=f"{name}-{number_in_package}"),
        )
        for number_in_package in range(PROFILES_A_PACKAGE)
    )
    return Package(package_id=name, version=1, name=name, profiles=members)


def _history(chance: random.Random, number: int, at: datetime) -> Sequence[DeliveryOutcome]:
    package = f"package-{number % PACKAGES}"
    common: dict[str, Any] = {
        "package_id": package,
        "message_id": f"msg_{number % 50}",
        "delivery_id": f"dlv_{number}",
        "recipient": f"2015{number:08}",
        "lane": chance.choice(["open", "open", "reply"]),
        "profile_id": f"{package}-{chance.randrange(PROFILES_A_PACKAGE)}",
    }
    if chance.random() < 0.05:
        return [DeliveryOutcome(**common, status="failed", at=at, failure="recipient", reason="nobody")]
    history: list[DeliveryOutcome] = []
    if chance.random() < 0.1:
        history.append(DeliveryOutcome(**common, status="deferred", at=at, failure="throttled", reason="too fast"))
    for status in LADDER[: chance.randint(1, 4)]:
        history.append(DeliveryOutcome(**common, status=status, at=at, fingerprint=f"{number % 7:016x}"))
        at += timedelta(seconds=chance.randrange(60))
    return history
