"""Laws: no settings, arrivals, changes, restarts or clock jumps overfill a window or break quiet hours.

Each law names the mutants of the policy that it kills; test_pacer_mutants.py runs them.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import Phase, given, settings
from simulate.stories import BEGIN, DAY, HOUR, ZONES, LedgerEntry, Story, spans_of_rest, stories

PHASES = (Phase.generate,) if "SPREADER_LAWS" in os.environ else tuple(Phase)
"""The mutants only need to know that a law fails; shrinking the story would take minutes."""
EXAMPLES = settings(max_examples=70, phases=PHASES, derandomize=True)


def most_allowed(lines: Iterable[LedgerEntry], window: timedelta, limit: Callable[[LedgerEntry], int | None]) -> None:
    """At each release: the releases in the window that ends with it are within the limit then in force.

    Also those that the ledger has later than it count, where the clock was set back: within a window of it they are
    in one with it.
    """
    before: list[datetime] = []
    for line in lines:
        most = limit(line)
        before.append(line.at)
        if most is not None:
            assert sum(line.at - window < moment for moment in before) <= most


def by(key: Callable[[LedgerEntry], str], story: Story) -> list[list[LedgerEntry]]:
    groups: dict[str, list[LedgerEntry]] = {}
    for line in story.ledger:
        groups.setdefault(key(line), []).append(line)
    return list(groups.values())


@EXAMPLES
@given(stories)
def test_no_window_of_a_profile_ever_holds_more_than_its_limit(story: Story) -> None:
    """Kills: limit one too large, window too short, limits left out, dated early."""
    for lines in by(lambda line: line.profile, story):
        assert [line.at for line in lines] == sorted(line.at for line in lines)
        most_allowed(lines, HOUR, lambda line: line.rules.limits.per_hour)
        most_allowed(lines, 3 * HOUR, lambda line: line.rules.limits.per_3_hours)
        most_allowed(lines, DAY, lambda line: line.rules.limits.per_day)


@EXAMPLES
@given(stories)
def test_no_hour_holds_more_than_a_quarter_of_the_days_limit(story: Story) -> None:
    """Kills: quarter left out, quarter rounded up."""
    for lines in by(lambda line: line.profile, story):
        most_allowed(lines, HOUR, lambda line: max(1, line.rules.limits.per_day // 4))


@EXAMPLES
@given(stories)
def test_no_window_of_first_words_ever_holds_more_than_its_limit(story: Story) -> None:
    """Kills: contacts not counted, contacts left out."""
    for lines in by(lambda line: line.profile, story):
        cold = [line for line in lines if line.cold]
        most_allowed(cold, DAY, lambda line: line.rules.limits.new_contacts_per_day)
        most_allowed(cold, 30 * DAY, lambda line: line.rules.limits.unanswered_per_30_days)


@EXAMPLES
@given(stories)
def test_a_package_never_releases_more_in_a_day_than_its_limit(story: Story) -> None:
    """Kills: package not counted, package's bound left out."""
    most_allowed(story.ledger, DAY, lambda line: line.per_day)


@EXAMPLES
@given(stories)
def test_a_recipient_never_gets_more_in_a_day_than_the_limit(story: Story) -> None:
    """Kills: recipient not counted, recipient's bound left out."""
    for lines in by(lambda line: line.recipient, story):
        most_allowed(lines, DAY, lambda line: line.rules.limits.per_recipient_per_day)


@EXAMPLES
@given(stories)
def test_nothing_is_released_in_a_rest_or_outside_the_windows_of_work(story: Story) -> None:
    """Kills: rest ignored, rest by the plain day, rest without its offset, windows of work ignored."""
    for line in story.ledger:
        hours = line.rules.hours
        today = line.at.astimezone(ZoneInfo(hours.timezone)).date()
        if hours.rest is not None:
            spans = spans_of_rest(hours.rest, hours.timezone, hours.offset, today)
            assert not any(begin <= line.at < end for begin, end in spans)
        local = line.at.astimezone(ZoneInfo(hours.timezone)).time()
        for window in hours.windows:
            overnight = window.end <= window.start
            within = (local >= window.start, local < window.end)
            assert any(within) if overnight else all(within)


@EXAMPLES
@given(stories)
def test_nobody_is_written_to_in_the_quiet_hours(story: Story) -> None:
    """Kills: quiet hours ignored, quiet hours by UTC."""
    for line in story.ledger:
        quiet = line.rules.quiet
        if quiet is not None:
            local = line.at.astimezone(ZoneInfo(ZONES[line.recipient]))
            for day in (local.date(), local.date() - DAY):
                begin = datetime.combine(day, quiet.start, tzinfo=local.tzinfo).astimezone(UTC)
                assert not begin <= line.at < begin + quiet.length


@EXAMPLES
@given(stories)
def test_no_delivery_goes_before_its_own_moment(story: Story) -> None:
    """Kills: delivery's moment ignored."""
    assert all(line.at >= max(story.arrived[line.delivery][1].not_before, BEGIN) for line in story.ledger)


@EXAMPLES
@given(stories)
def test_each_delivery_goes_once_and_none_is_lost(story: Story) -> None:
    """Kills: scheduled ones step aside, put off and forgotten, taken and kept.

    What has not gone after 60 days waits still: only a spent budget of first words holds it so long, or quiet hours
    and rests that leave no hour of work.
    """
    gone = Counter(line.delivery for line in story.ledger)
    assert set(gone.values()) <= {1}
    waiting = sum(len(profile.queue) for profile in story.simulation.profiles)
    assert len(gone) + waiting == len(story.arrived)
    rules = story.rules
    some_hours_are_open = rules.quiet is None and not (rules.hours.rest and rules.hours.windows)
    if rules.limits.unanswered_per_30_days is None and some_hours_are_open:
        assert not waiting
