"""Meaning: what a bound says, in a sentence for the person who asks why nothing goes yet."""

from pacer.core.limits import DAY_LIMIT, HOUR_LIMIT, QUARTER_OF_DAY, THREE_HOURS_LIMIT, quarter_of_day
from pacer.core.policy import DAY_IN_PAIRS, QUIET_HOURS, RECIPIENT_LIMIT, Rules
from pacer.core.release_pass import PACKAGE_DAY_LIMIT

_SENTENCES = {
    "": "Nothing holds it.",
    "nothing waits": "No delivery of this profile waits.",
    "deliveries ahead": "It may go, but others are ahead of it.",
    "delivery": "Its own schedule says not before then.",
    "gap": "The gap after the profile's last release is not over.",
    "rest window": "The profile rests, or is outside its hours of work, or begins them in a moment of its own.",
    HOUR_LIMIT: "An hour holds at most {limits.per_hour} releases, and the last one is full, or was a moment ago.",
    QUARTER_OF_DAY: "An hour holds at most a quarter of the day's limit, {quarter} of {limits.per_day}, and the last"
    " one is full, or was a moment ago: many of a day's messages in one hour are a risky pattern.",
    THREE_HOURS_LIMIT: "3 hours hold at most {limits.per_3_hours} releases, and the last 3 are full, or were a moment"
    " ago.",
    DAY_LIMIT: "24 hours hold at most {limits.per_day} releases, and the last 24 are full, or were a moment ago.",
    DAY_IN_PAIRS: "24 hours are full, and their room comes back slowly, as a rush of the day before took it. Few wait:"
    " they take it two at a time, since waits one by one would repeat that rush.",
    "new contacts limit": "24 hours hold at most {limits.new_contacts_per_day} first words to new contacts.",
    "unanswered budget": "At most {limits.unanswered_per_30_days} new contacts of 30 days may be without an answer.",
    PACKAGE_DAY_LIMIT: "The package has a limit of its own for 24 hours, and it is used up.",
    RECIPIENT_LIMIT: "A recipient gets at most {limits.per_recipient_per_day} open messages in 24 hours.",
    QUIET_HOURS: "It is in the quiet hours where the recipient is.",
    "concurrent sends": "At most {concurrent} deliveries of the package may be with the gateway and not answered.",
    "package paused": "The package is paused: it goes on when somebody resumes it.",
    "profile paused": "The profile is paused: it goes on when somebody resumes it.",
    "open lane blocked": "WhatsApp blocks, or seems to block, this profile's open messages.",
}


def meaning(bound: str, rules: Rules) -> str:
    """A bound without a sentence of its own is told by its name."""
    sentence = _SENTENCES.get(bound, bound)
    quarter = quarter_of_day(rules.limits)
    return sentence.format(limits=rules.limits, quarter=quarter, concurrent=rules.concurrent_sends)
