"""Outcome requests: releases without an outcome are found, and none stops a package for good."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from pacer.metrics import WITHOUT_OUTCOME
from pacer.release import outcome_requests
from pacer.release.outcome_requests import LOOK_SECONDS, OutcomeRequests, RequestSummary
from pacer.testing import START, Pacer, assigned, outcome, package
from spreader.contract.configuration import ProfileLimits
from spreader.contract.events import DeliveryReleased
from spreader.http.service_client import ServiceResponse, ServiceUnavailable

pytestmark = pytest.mark.postgres

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
MANY = ProfileLimits(per_hour=1_000, per_3_hours=1_000, per_day=1_000)


@dataclass
class AskedSender:
    """The sender's side of the question: it notes the releases, and reports or does not."""

    response: ServiceResponse = None
    asked: list[list[str]] = field(default_factory=list[list[str]])

    async def query(self, path: str, body: Mapping[str, Any] | None = None, seconds: float = 5.0) -> ServiceResponse:
        assert path == "/releases/outcomes"
        assert body is not None
        self.asked.append([release["delivery_id"] for release in body["releases"]])
        return self.response


def requests_of(pacer: Pacer, sender: AskedSender) -> OutcomeRequests:
    """`clock` of the test pacer stands still, so the wait is in its time."""
    return OutcomeRequests(pacer.engine, pacer.clock, sender, HOUR / pacer.clock.speed)


async def released_long_ago(pacer: Pacer, count: int) -> list[DeliveryReleased]:
    """All releases of a package whose concurrent sends are used up by them."""
    pacer.configure(package(profiles=count, limits=MANY, concurrent=count))
    await pacer.hold(assigned(count + 1, profiles=count))
    releases = await pacer.release()
    assert len(releases) == count
    pacer.now = START + HOUR + MINUTE
    return releases


async def test_the_sender_is_asked_after_an_hour_and_its_outcome_frees_the_package(pacer: Pacer) -> None:
    releases = await released_long_ago(pacer, 2)
    sender = AskedSender({"reported": 2, "in_progress": 0})
    assert await pacer.release() == []  # the package waits for answers that never come
    pacer.now = START + HOUR - MINUTE
    assert await requests_of(pacer, sender).look() == LOOK_SECONDS
    assert sender.asked == []
    pacer.now = START + HOUR + MINUTE
    await requests_of(pacer, sender).look()
    assert [sorted(asked) for asked in sender.asked] == [sorted(release.delivery_id for release in releases)]
    assert WITHOUT_OUTCOME._value.get() == 2  # pyright: ignore[reportPrivateUsage]
    await pacer.settle(*(outcome(release, "unknown", None) for release in releases))
    assert len(await pacer.release()) == 1
    await requests_of(pacer, sender).look()
    assert len(sender.asked) == 1
    assert await pacer.states() == {"settled": 2, "released": 1}


async def test_a_release_whose_delivery_has_moved_on_is_freed_without_a_question(pacer: Pacer) -> None:
    """The outcome of the first attempt was set aside, and the router has assigned the delivery again."""
    pacer.configure(package(profiles=2, limits=MANY, concurrent=1))
    await pacer.hold(assigned(1, profile="p0"))
    (first,) = await pacer.release()
    await pacer.hold(assigned(1, profile="p1", attempt=2))
    pacer.now = START + HOUR + MINUTE
    assert await pacer.release() == []  # the only place of the package is taken by the first release
    sender = AskedSender()
    requests = requests_of(pacer, sender)
    assert await requests.ask(await requests.overdue()) == RequestSummary(overdue=1, freed=1)
    assert sender.asked == []
    (second,) = await pacer.release()
    assert (second.delivery_id, second.profile_id) == (first.delivery_id, "p1")


async def test_a_release_that_is_not_published_yet_is_not_asked_about(pacer: Pacer) -> None:
    """The sender cannot know it. Asked, it would settle the release, and then drop it."""
    pacer.configure(package(limits=MANY))
    await pacer.hold(assigned(1))
    await pacer.release_loop.run_pass()
    pacer.now = START + HOUR + MINUTE
    assert await requests_of(pacer, AskedSender()).overdue() == []
    await pacer.relay()
    assert len(await requests_of(pacer, AskedSender()).overdue()) == 1


@pytest.mark.parametrize("response", [None, ServiceUnavailable("the sender does not respond (TimeoutError)")])
async def test_while_the_sender_cannot_be_asked_everything_stays_as_it_is(
    pacer: Pacer, response: ServiceResponse
) -> None:
    await released_long_ago(pacer, 2)
    requests = requests_of(pacer, AskedSender(response))
    assert await requests.look() == LOOK_SECONDS
    assert await pacer.states() == {"held": 1, "released": 2}


async def test_releases_in_progress_do_not_hide_those_behind_them(
    pacer: Pacer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcome_requests, "ROWS_MAX", 2)
    releases = await released_long_ago(pacer, 5)
    sender = AskedSender({"reported": 0, "in_progress": 2})
    requests = requests_of(pacer, sender)
    while await requests.look() == 0:
        pass
    assert [len(asked) for asked in sender.asked] == [2, 2, 1]
    assert {delivery for asked in sender.asked for delivery in asked} == {release.delivery_id for release in releases}
