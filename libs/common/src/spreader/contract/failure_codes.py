"""Failure codes: the failure class of each gateway error code, in responses and in webhooks.

Sources: Meta's list of Cloud API error codes, and WhatsApp's acknowledgements to linked devices. The sender's retry
policy decides what to do about a class.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from spreader.contract.events import FailureClass


@dataclass(frozen=True, slots=True)
class FailureMeaning:
    """What an error code means. `says` explains it to operators."""

    failure: FailureClass
    says: str


_PERMISSION = FailureMeaning("credentials", "the access token lacks a permission for this number")
_SERVICE_ERROR = FailureMeaning("transient", "Meta's service stumbled")
_PAYMENT = FailureMeaning("credentials", "Meta asks for a valid way of payment")
_TEMPLATE_MISMATCH = FailureMeaning("template", "the template and what it was filled with do not fit")
_UNREACHABLE = FailureMeaning("recipient", "this number cannot be written to")
_INVALID_FORM = FailureMeaning("content", "Meta does not accept the form of the message")
_NOT_READY = FailureMeaning("profile", "the number is not ready to send: see it in Meta's business manager")

CLOUD_API: Mapping[int, FailureMeaning] = {
    **dict.fromkeys((0, 190), FailureMeaning("credentials", "the access token is not valid, or not any more")),
    **dict.fromkeys((3, 10, *range(200, 300), 131005), _PERMISSION),
    **dict.fromkeys((1, 2, 131000, 131016, 135000), _SERVICE_ERROR),
    4: FailureMeaning("throttled", "too many calls for the app"),
    80007: FailureMeaning("throttled", "too many calls for the WhatsApp business account"),
    130429: FailureMeaning("throttled", "too many messages a second for this number"),
    **dict.fromkeys((131057, 2494100), FailureMeaning("throttled", "Meta is upgrading this number")),
    613: FailureMeaning("throttled", "too many calls for this number"),
    133016: FailureMeaning("throttled", "the number was registered too many times"),
    131048: FailureMeaning(
        "restricted", "too many people blocked or reported this number: WhatsApp lets it open no chats"
    ),
    131064: FailureMeaning(
        "restricted", "a template was in the wrong category: WhatsApp lets this number open no chats"
    ),
    131056: FailureMeaning("pair", "too many messages from this number to this recipient"),
    131049: FailureMeaning("capped", "WhatsApp gives this recipient no more marketing for now"),
    130472: FailureMeaning("capped", "this recipient gets no marketing, as part of an experiment of Meta's"),
    131050: FailureMeaning("opted_out", "the recipient told WhatsApp to stop marketing messages"),
    131047: FailureMeaning("window", "the recipient wrote over 24 hours ago: only a template may be sent"),
    131026: FailureMeaning(
        "recipient", "it cannot be delivered: not on WhatsApp, an old app, or the profile is blocked"
    ),
    **dict.fromkeys((131021, 131030, 131062, 137000), _UNREACHABLE),
    131031: FailureMeaning("account", "the account is locked"),
    368: FailureMeaning("account", "the account is blocked for breaking a policy"),
    # The number works for other countries, so no lane is closed.
    130497: FailureMeaning("transient", "this account may not write to the recipient's country"),
    **dict.fromkeys((131042, 131044), _PAYMENT),
    **dict.fromkeys((131045, 133010, 131037, 33), _NOT_READY),
    **dict.fromkeys((131051, 131008, 131009, 100), _INVALID_FORM),
    131053: FailureMeaning("content", "Meta could not read the file"),
    **dict.fromkeys((131020, 131041, *range(131200, 131300)), FailureMeaning("content", "Meta refused it for a group")),
    # The codes of templates. Some of them get a more specific meaning below.
    **dict.fromkeys(range(132000, 133000), FailureMeaning("template", "the template cannot be sent")),
    **dict.fromkeys((132000, 132001, 132005, 132007, 132008, 132012), _TEMPLATE_MISMATCH),
    132015: FailureMeaning("template", "the template is paused, because people did not like it"),
    132016: FailureMeaning("template", "the template is disabled"),
    132068: FailureMeaning("template", "the template's flow is blocked"),
    132069: FailureMeaning("throttled", "the template's flow is slowed down"),
    131063: FailureMeaning("template", "marketing messages are turned off for this account"),
}
"""The meaning of each `error.code`. The HTTP status does not show it, because many of these codes share one status."""

UNKNOWN_OBJECT = (100, 33)
"""Code and subcode of Meta's answer to a wrong phone number id, or to one that the token may not use. Code 100 alone
means that the message has a wrong form."""

NO_CHATS = FailureMeaning("restricted", "WhatsApp lets this profile open no chats")
STALE = FailureMeaning("transient", "the session's keys were stale")
LINKED: Mapping[str, FailureMeaning] = {"463": NO_CHATS, "479": STALE, "SMAX_INVALID": STALE}
"""The meaning of each code in WhatsApp's acknowledgements to linked devices (WAHA, Evolution API)."""
