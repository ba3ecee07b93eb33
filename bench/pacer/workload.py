"""Workload: the packages, profiles and deliveries of the pacer's bench, the same in every process."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from pacer.config_cache import PacerConfigCache
from pacer.core.policy import Margins
from spreader.contract.configuration import Gap, Gateway, Package, PackageLimits, Profile, ProfileLimits
from spreader.contract.content import TextContent
from spreader.contract.events import (
    RECIPIENTS_PER_RECORD_MAX,
    AssignedDelivery,
    OpenDeliveriesAssigned,
    OpenOptions,
    PackageConfigured,
)
from spreader.contract.ids import delivery_id
from spreader.kafka.guarded_consumer import Received

REQUESTED_AT = datetime(2026, 1, 5, tzinfo=UTC)
RECORDS_A_BATCH = 20  # the pacer's own INTAKE_RECORDS_MAX
CONCURRENT_MAX = 1_000_000
PLENTY = 10_000_000
CONTENT = TextContent(type="text", text="Hello, your order is on its way. Answer STOP if you want no more of this.")

# Limits that never bind, so every profile is due again at once.
ALWAYS_DUE = ProfileLimits(per_hour=PLENTY, per_3_hours=PLENTY, per_day=PLENTY, unanswered_per_30_days=PLENTY)
# A gap of 90 s (short queue) to 120 s (long queue): 10,000 profiles make 60 to 80 releases a second.
AT_WALL_SPEED = ProfileLimits(per_hour=30, per_3_hours=90, per_day=720)


@dataclass(frozen=True, slots=True)
class Workload:
    """Packages with the same number of profiles each."""

    packages: int = 100
    profiles_each: int = 100

    @property
    def profiles(self) -> int:
        return self.packages * self.profiles_each

    def configured(self, limits: ProfileLimits) -> list[PackageConfigured]:
        return [_configured(number, self.profiles_each, limits) for number in range(self.packages)]

    def config(self, limits: ProfileLimits) -> PacerConfigCache:
        """The pacer's own config cache, filled by hand."""
        rows = {event.package.package_id: event for event in self.configured(limits)}
        return PacerConfigCache(cast(Any, rows), cast(Any, dict[str, Any]()), Margins(timedelta(0), timedelta(0)))

    def records(self, first: int, count: int) -> Iterator[OpenDeliveriesAssigned]:
        """`count` deliveries from number `first`, spread evenly over all profiles, as the router publishes them."""
        each = min(RECIPIENTS_PER_RECORD_MAX, max(1, count // self.packages))
        for place, begin in enumerate(range(first, first + count, each)):
            yield self._record(place % self.packages, begin, min(each, first + count - begin))

    def _record(self, package: int, first: int, count: int) -> OpenDeliveriesAssigned:
        message_id = f"msg_bench_{first}"
        recipients = [f"201{number:09}" for number in range(first, first + count)]
        return OpenDeliveriesAssigned.model_construct(  # without validation: building the records is not measured
            package_id=f"package-{package}",
            message_id=message_id,
            content=CONTENT,
            options=OpenOptions(),
            requested_at=REQUESTED_AT,
            total=count,
            strategy="round_robin",
            deliveries=tuple(
                AssignedDelivery.model_construct(
                    delivery_id=delivery_id(message_id, recipient),
                    recipient=recipient,
                    index=index,
                    attempt=1,
                    profile_id=f"profile-{package}-{(first + index) % self.profiles_each}",
                )
                for index, recipient in enumerate(recipients)
            ),
        )


WORKLOAD = Workload()


def batches(
    records: Iterator[OpenDeliveriesAssigned], offset: int = 0
) -> Iterator[Sequence[Received[OpenDeliveriesAssigned]]]:
    """Batches of one partition, as the pacer's intake receives them."""
    batch: list[Received[OpenDeliveriesAssigned]] = []
    for place, event in enumerate(records, offset):
        batch.append(Received(event, event.topic, 0, place))
        if len(batch) == RECORDS_A_BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _configured(number: int, profiles: int, limits: ProfileLimits) -> PackageConfigured:
    package = Package(
        package_id=f"package-{number}",
        version=1,
        name=f"Package {number}",
        rest_window=None,
        gap=Gap(),
        limits=PackageLimits(concurrent_sends=CONCURRENT_MAX),
        profiles=tuple(
            Profile(
                profile_id=f"profile-{number}-{place}",
                name="Profile",
                phone=f"2010{number:04}{place:04}",
                limits=limits,
                gateway=Gateway(driver="simulator", base_url="http://127.0.0.1:1", account=f"{number}-{place}"),
            )
            for place in range(profiles)
        ),
    )
    return PackageConfigured(package=package, at=REQUESTED_AT)
