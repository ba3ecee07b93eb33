"""Explanations: what each bound means, in one sentence for an operator who asks why a delivery waits."""

from pacer.core.limits import quarter_of_day
from pacer.core.policy import Rules
from spreader.contract.bounds import Bound

NOTHING_WAITS = "nothing waits"
DELIVERIES_AHEAD = "deliveries ahead"
"""Explanations that are not bounds: the queue is empty, or other deliveries go first."""

_SENTENCES = {
    "": "Nothing holds it.",
    NOTHING_WAITS: "The queue of this profile is empty.",
    DELIVERIES_AHEAD: "It is due; other deliveries are ahead of it.",
    Bound.DELIVERY: "Scheduled for later.",
    Bound.GAP: "The gap after the profile's last release is not over.",
    Bound.REST_WINDOW: "Outside working hours (or in the random start delay after them).",
    Bound.HOUR_LIMIT: "Hourly limit reached: {limits.per_hour} messages in the last hour.",
    Bound.QUARTER_OF_DAY: "A quarter of the daily limit reached: {quarter} of {limits.per_day} messages in the last"
    " hour. More of a day's messages in one hour would be a risky pattern.",
    Bound.THREE_HOURS_LIMIT: "3-hour limit reached: {limits.per_3_hours} messages in the last 3 hours.",
    Bound.DAY_LIMIT: "Daily limit reached: {limits.per_day} messages in the last 24 hours.",
    Bound.DAY_IN_PAIRS: "Daily limit reached. Messages go in pairs: one at a time they would repeat the rhythm of"
    " yesterday's rush.",
    Bound.NEW_CONTACTS_LIMIT: "New contact limit reached: {limits.new_contacts_per_day} first messages to new contacts"
    " in the last 24 hours.",
    Bound.UNANSWERED_BUDGET: "Unanswered budget used up: {limits.unanswered_per_30_days} new contacts of the last 30"
    " days have not answered.",
    Bound.PACKAGE_DAY_LIMIT: "Daily limit of the package reached.",
    Bound.RECIPIENT_LIMIT: "Recipient limit reached: {limits.per_recipient_per_day} open messages to this recipient in"
    " the last 24 hours.",
    Bound.QUIET_HOURS: "Quiet hours where the recipient is.",
    Bound.CONCURRENT_SENDS: "Limit of concurrent sends reached: {concurrent} deliveries of the package are at the"
    " gateway without an answer.",
    Bound.PACKAGE_PAUSED: "The package is paused. Resume it to go on.",
    Bound.PROFILE_PAUSED: "The profile is paused. Resume it to go on.",
    Bound.OPEN_LANE_BLOCKED: "WhatsApp blocks open messages of this profile, or seems to.",
    Bound.CONFIGURATION_STALE: "Kafka does not answer, so the pacer does not know whether packages and profiles have"
    " changed. It continues when Kafka answers.",
    Bound.WAITING_FOR_PROFILE: "No profile of the package can send now.",
}


def explain_bound(bound: str, rules: Rules) -> str:
    """The sentence for a bound, with the figures of the rules. If a bound has no sentence, the result is its name."""
    sentence = _SENTENCES.get(bound, bound)
    quarter = quarter_of_day(rules.limits)
    return sentence.format(limits=rules.limits, quarter=quarter, concurrent=rules.concurrent_sends)
