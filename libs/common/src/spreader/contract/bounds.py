"""Bounds: the names of the reasons why a release has to wait, as in API, metrics and console."""

from enum import StrEnum


class Bound(StrEnum):
    """The bounds, in the order in which explanations list them. Of the bounds that apply, the one that ends last
    binds."""

    DELIVERY = "delivery"
    GAP = "gap"
    HOUR_LIMIT = "hour limit"
    QUARTER_OF_DAY = "quarter-of-day limit"
    THREE_HOURS_LIMIT = "3 hours limit"
    DAY_LIMIT = "day limit"
    DAY_IN_PAIRS = "day limit in pairs"
    PACKAGE_DAY_LIMIT = "package day limit"
    NEW_CONTACTS_LIMIT = "new contacts limit"
    UNANSWERED_BUDGET = "unanswered budget"
    RECIPIENT_LIMIT = "recipient limit"
    QUIET_HOURS = "recipient quiet hours"
    REST_WINDOW = "rest window"
    CONCURRENT_SENDS = "concurrent sends"
    PACKAGE_PAUSED = "package paused"
    PROFILE_PAUSED = "profile paused"
    OPEN_LANE_BLOCKED = "open lane blocked"
    CONFIGURATION_STALE = "configuration out of date"
    WAITING_FOR_PROFILE = "waiting for a profile"
