"""Null fields: None in an event is None for its reader, not the reader's default."""

from datetime import UTC, datetime

from spreader.contract.configuration import Package, ProfileLimits
from spreader.contract.events import Event, PackageConfigured, ProfilePace
from spreader.kafka.envelope import decode, encode

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def carried(event: Event) -> Event:
    envelope = encode(event, "test", NOON)
    return decode(envelope.topic, envelope.headers, envelope.body)


def test_a_package_without_rest_window_and_without_a_limit_arrives_without_them() -> None:
    package = Package(
        package_id="pkg",
        version=1,
        name="Orders",
        rest_window=None,
        profile_limits=ProfileLimits(per_recipient_per_day=None),
    )
    event = PackageConfigured(package=package, at=NOON)
    assert carried(event) == event


def test_a_pace_of_a_profile_that_never_released_arrives() -> None:
    event = ProfilePace(
        profile_id="prf",
        package_id="pkg",
        waiting=0,
        last_release=None,
        next_release=None,
        bound="nothing waits",
        base_seconds=180,
        pressure=1,
        tempo=1,
        mean_seconds=180,
        at=NOON,
    )
    assert carried(event) == event
