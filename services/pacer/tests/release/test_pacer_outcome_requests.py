"""Outcome requests: releases without an outcome are found, and none stops a package for good."""

import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import structlog
from fastapi import FastAPI

from pacer import __main__ as entry
from pacer.metrics import WITHOUT_OUTCOME
from pacer.release import outcome_requests, overdue_command
from pacer.release.outcome_requests import LOOK_SECONDS, OutcomeRequests
from pacer.settings import PacerSettings
from pacer.testing import START, Pacer, assigned, members, outcome, package
from pacer.views import explain
from spreader.clock import Clock
from spreader.contract.answers import RequestSummary
from spreader.contract.configuration import ProfileLimits
from spreader.contract.events import DeliveryReleased
from spreader.http.service_client import ServiceResponse, ServiceUnavailable
from spreader.testing import serving

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


async def test_an_operator_has_the_sender_asked_about_one_package_after_five_minutes(
    pacer: Pacer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcome_requests, "ROWS_MAX", 2)
    monkeypatch.setattr(outcome_requests, "ASK_NOW_AFTER", 5 * MINUTE / pacer.clock.speed)
    monkeypatch.setattr(explain, "ASK_NOW_AFTER", 5 * MINUTE / pacer.clock.speed)
    await released_long_ago(pacer, 3)
    sender = AskedSender({"reported": 1, "in_progress": 1})
    pacer.now = START + 4 * MINUTE
    assert await requests_of(pacer, sender).ask_now("one") == RequestSummary()
    assert await slots(pacer) == {"now": 3, "max": 3, "without_outcome": 0}
    pacer.now = START + 6 * MINUTE
    assert await slots(pacer) == {"now": 3, "max": 3, "without_outcome": 3}
    assert await requests_of(pacer, sender).ask_now("another") == RequestSummary()
    assert await requests_of(pacer, sender).ask_now("one") == RequestSummary(overdue=3, reported=2, in_progress=2)
    assert [len(asked) for asked in sender.asked] == [2, 1]
    away = AskedSender(ServiceUnavailable("the sender does not respond"))
    summary = await requests_of(pacer, away).ask_now("one")
    assert (summary.overdue, summary.unavailable) == (2, "the sender does not respond")


async def slots(pacer: Pacer) -> dict[str, int]:
    return members(await pacer.explainer.queue("one"))["at_gateway"]


@asynccontextmanager
async def reporting_sender() -> AsyncGenerator[tuple[str, list[dict[str, Any]]]]:
    """A sender over HTTP, which reports every outcome; yields its address, and the releases that it is asked about."""
    app, asked = FastAPI(), list[dict[str, Any]]()

    @app.post("/releases/outcomes")
    async def report(body: dict[str, list[dict[str, Any]]]) -> dict[str, int]:
        asked.extend(body["releases"])
        return {"reported": len(body["releases"]), "in_progress": 0}

    async with serving(app) as url:
        yield url, asked


@pytest.fixture
def pacer_settings(pacer: Pacer) -> PacerSettings:
    url = pacer.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    return PacerSettings(database_url=url, sender_url="http://127.0.0.1:1")


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What was printed since the last call."""
    return capsys.readouterr().out.splitlines()


async def test_the_command_lists_overdue_releases_and_asks_only_if_it_is_told_to(
    pacer: Pacer, pacer_settings: PacerSettings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overdue_command, "clock_from_environment", lambda: Clock())
    pacer.configure(package(profiles=2, limits=MANY, concurrent=2))
    await pacer.hold(assigned(1, profile="p0"), assigned(1, "msg_2", profile="p1"))
    first, second = await pacer.release()
    await pacer.hold(assigned(1, "msg_2", profile="p0", attempt=2))
    lines = [
        f"{release.released_at:%Y-%m-%d %H:%M} one {release.delivery_id} {release.profile_id}"
        for release in sorted((first, second), key=lambda release: release.profile_id)
    ]
    lines[1] += " (its delivery has moved on)"
    async with reporting_sender() as (address, asked):
        monkeypatch.setattr(outcome_requests, "log", structlog.testing.ReturnLogger())  # the log is no part of the list
        settings = pacer_settings.model_copy(update={"sender_url": address})
        await overdue_command.ask_for_outcomes(settings, HOUR, ask=False)
        only_listed = "2 releases without an outcome; add --ask to ask the sender"
        assert printed(capsys) == [*lines, only_listed]
        assert asked == []
        await overdue_command.ask_for_outcomes(settings, HOUR, ask=True)
        report = "1 freed, 1 reported by the sender, 0 still in progress"
        assert printed(capsys) == [*lines, report, "2 releases without an outcome"]
        assert [release["profile_id"] for release in asked] == ["p0"]
    await overdue_command.ask_for_outcomes(pacer_settings, HOUR, ask=True)
    assert "the sender was not asked: " in capsys.readouterr().out
    await overdue_command.ask_for_outcomes(pacer_settings, 1e5 * HOUR, ask=True)
    assert printed(capsys) == ["0 releases without an outcome"]


def test_the_command_is_understood_as_it_is_documented(
    pacer_settings: PacerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails if the options or their defaults change."""
    calls: list[tuple[timedelta, bool]] = []

    async def note(settings: PacerSettings, wait: timedelta, ask: bool) -> None:
        calls.append((wait, ask))

    monkeypatch.setattr(entry, "ask_for_outcomes", note)
    monkeypatch.setattr(structlog, "configure", lambda **_: None)
    monkeypatch.setattr(entry, "PacerSettings", lambda: pacer_settings)
    for arguments in ([], ["--ask"], ["--minutes", "5", "--ask"]):
        monkeypatch.setattr(sys, "argv", ["pacer", "outcomes", *arguments])
        entry.main()
    assert calls == [(HOUR, False), (HOUR, True), (5 * MINUTE, True)]
