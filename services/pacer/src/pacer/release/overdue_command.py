"""Overdue command: lists releases without an outcome, and asks the sender about them at once."""

import sys
from datetime import timedelta

from pacer.release.outcome_requests import BEGINNING, OutcomeRequests, place_of
from pacer.settings import PacerSettings
from pacer.sql.overdue_outcomes import OverdueRelease
from spreader.clock import clock_from_environment
from spreader.contract.answers import RequestSummary
from spreader.http.service_client import HttpServiceClient
from spreader.runtime.postgres import create_engine


async def ask_for_outcomes(settings: PacerSettings, wait: timedelta, ask: bool) -> None:
    """Prints the releases whose outcomes have been missing for longer than `wait`. With `ask`, it also asks the sender
    for these outcomes."""
    engine, clock = create_engine(settings, "pacer-outcomes"), clock_from_environment()
    sender = HttpServiceClient("sender", settings.sender_url, settings.internal_token)
    await sender.start()
    try:
        requests = OutcomeRequests(engine, clock, sender, wait)
        found, after = 0, BEGINNING
        while releases := await requests.overdue(after):
            found, after = found + len(releases), place_of(releases[-1])
            for release in releases:
                _print(_line(release))
            if ask:
                _print(_report(await requests.ask(releases)))
        _print(f"{found} releases without an outcome" + ("" if ask or not found else "; add --ask to ask the sender"))
    finally:
        await sender.stop()
        await engine.dispose()


def _line(release: OverdueRelease) -> str:
    state = "" if release.message_id is not None else " (its delivery has moved on)"
    return (
        f"{release.released_at:%Y-%m-%d %H:%M} {release.package_id} {release.delivery_id} {release.profile_id}{state}"
    )


def _report(summary: RequestSummary) -> str:
    if summary.unavailable is not None:
        return f"the sender was not asked: {summary.unavailable}"
    return f"{summary.freed} freed, {summary.reported} reported by the sender, {summary.in_progress} still in progress"


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
