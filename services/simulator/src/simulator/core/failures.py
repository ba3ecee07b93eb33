"""Failures: how each gateway can fail a send, by the code of the failure.

The tables contain each failure of the sender's failure tables that can happen to a send. A numeric code, such as
`131048`, is the gateway's own. A failure for which the gateway has only a text gets a name here, such as `closed`. Its
text is in the endpoints.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Driver = Literal["simulator", "cloud_api", "waha", "evolution"]
FailureChannel = Literal["answer", "receipt"]
"""Whether a failure is the answer to the send, or comes in a receipt after the send was accepted."""


@dataclass(frozen=True, slots=True)
class GatewayFailure:
    """`status`: the HTTP status of the answer. `channel`: how the gateway usually reports the failure."""

    status: int
    title: str
    channel: FailureChannel = "answer"
    transport_only: bool = False
    """Whether the HTTP request fails and not the message. A receipt cannot report such a failure."""


def _transport_failure(status: int, title: str) -> GatewayFailure:
    return GatewayFailure(status, title, transport_only=True)


OWN_FAILURES: Mapping[str, GatewayFailure] = {
    "transient": GatewayFailure(500, "The gateway stumbled."),
    "throttled": GatewayFailure(429, "Too fast."),
    "profile_blocked": GatewayFailure(403, "The profile is blocked."),
    "recipient_invalid": GatewayFailure(404, "Nobody has this number."),
    "content_refused": GatewayFailure(400, "The content is refused."),
}
"""The failures of the simulator's own protocol. `GENERIC_CODES` translates their codes for the other gateways."""

CLOUD_API_FAILURES: Mapping[str, GatewayFailure] = {
    "0": GatewayFailure(401, "AuthException"),
    "190": GatewayFailure(401, "Access token has expired"),
    "3": GatewayFailure(500, "API Method"),
    "10": GatewayFailure(403, "Permission Denied"),
    "200": GatewayFailure(403, "API Permission"),
    "299": GatewayFailure(403, "API Permission"),
    "131005": GatewayFailure(403, "Access denied"),
    "1": GatewayFailure(400, "API Unknown"),
    "2": GatewayFailure(503, "API Service"),
    "131000": GatewayFailure(500, "Something went wrong"),
    "131016": GatewayFailure(500, "Service unavailable"),
    "135000": GatewayFailure(400, "Generic user error"),
    "4": GatewayFailure(400, "API Too Many Calls"),
    "80007": GatewayFailure(400, "Rate limit issues"),
    "130429": GatewayFailure(400, "Rate limit hit"),
    "131057": GatewayFailure(500, "Account in maintenance mode"),
    "131048": GatewayFailure(400, "Spam rate limit hit"),
    "131056": GatewayFailure(400, "(Business Account, Consumer Account) pair rate limit hit"),
    "131049": GatewayFailure(400, "Meta chose not to deliver", "receipt"),
    "130472": GatewayFailure(400, "User's number is part of an experiment"),
    "131050": GatewayFailure(400, "User has stopped marketing messages", "receipt"),
    "131047": GatewayFailure(400, "Re-engagement message"),
    "131026": GatewayFailure(400, "Message undeliverable", "receipt"),
    "131021": GatewayFailure(400, "Recipient cannot be sender"),
    "131030": GatewayFailure(400, "Recipient phone number not in allowed list"),
    "131062": GatewayFailure(400, "Business-scoped user id not supported"),
    "137000": GatewayFailure(400, "Identity key does not match"),
    "131031": GatewayFailure(403, "Account has been locked"),
    "368": GatewayFailure(403, "Temporarily blocked for policies violations"),
    "130497": GatewayFailure(403, "Business account is restricted from messaging users in this country"),
    "131064": GatewayFailure(400, "Messaging limit reached: template misclassified", "receipt"),
    "131042": GatewayFailure(400, "Business eligibility payment issue"),
    "131044": GatewayFailure(400, "Business eligibility payment issue"),
    "131045": GatewayFailure(500, "Incorrect certificate"),
    "133010": GatewayFailure(400, "Phone number not registered"),
    "131037": GatewayFailure(400, "Display name not approved"),
    "33": GatewayFailure(400, "Parameter value is not valid: the business phone number has been deleted"),
    "131051": GatewayFailure(400, "Unsupported message type"),
    "131008": GatewayFailure(400, "Required parameter is missing"),
    "131009": GatewayFailure(400, "Parameter value is not valid"),
    "100": GatewayFailure(400, "Invalid parameter"),
    "131053": GatewayFailure(400, "Media upload error"),
    "132000": GatewayFailure(400, "Template param count mismatch"),
    "132001": GatewayFailure(404, "Template does not exist"),
    "132005": GatewayFailure(400, "Template hydrated text too long"),
    "132007": GatewayFailure(400, "Template format character policy violated"),
    "132008": GatewayFailure(400, "Template parameter format mismatch"),
    "132012": GatewayFailure(400, "Template parameter format mismatch"),
    "132015": GatewayFailure(400, "Template is paused"),
    "132016": GatewayFailure(400, "Template is disabled"),
    "132068": GatewayFailure(400, "Flow is blocked"),
    "132069": GatewayFailure(400, "Flow is throttled"),
    "131063": GatewayFailure(400, "Marketing messages are turned off"),
    "429": _transport_failure(429, "Too Many Requests"),
    "500": _transport_failure(500, "Internal Server Error"),
    "502": _transport_failure(502, "Bad Gateway"),
    "503": _transport_failure(503, "Service Unavailable"),
    "504": _transport_failure(504, "Gateway Timeout"),
}

_LINKED_DEVICE_FAILURES: Mapping[str, GatewayFailure] = {
    "463": GatewayFailure(500, "Your account has been restricted", "receipt"),
    "479": GatewayFailure(500, "SMAX_INVALID", "receipt"),
    "error": GatewayFailure(500, "The message was not sent", "receipt"),
    "stuck": GatewayFailure(500, "Timed Out", "receipt"),
}
"""Errors from WhatsApp's server after the gateway accepted the message. `stuck`: no receipt ever comes."""

WAHA_FAILURES: Mapping[str, GatewayFailure] = {
    **_LINKED_DEVICE_FAILURES,
    "no_whatsapp": GatewayFailure(500, "The number is not on WhatsApp", "receipt"),
    "401": _transport_failure(401, "Unauthorized"),
    "403": _transport_failure(403, "Forbidden"),
    "404": _transport_failure(404, "Session does not exist"),
    "422": _transport_failure(422, "Session status is not as expected. Try again later or restart the session"),
    "not_implemented": _transport_failure(422, "The method is not implemented by the engine"),
    "429": _transport_failure(429, "Too Many Requests"),
    "500": _transport_failure(500, "Evaluation failed"),
    "502": _transport_failure(502, "Bad Gateway"),
    "503": _transport_failure(503, "Service Unavailable"),
    "504": _transport_failure(504, "Gateway Timeout"),
}

EVOLUTION_FAILURES: Mapping[str, GatewayFailure] = {
    **{code: GatewayFailure(400, failure.title, failure.channel) for code, failure in _LINKED_DEVICE_FAILURES.items()},
    "no_whatsapp": GatewayFailure(400, "The number is not on WhatsApp"),
    "closed": _transport_failure(400, "Error: Connection Closed"),
    "timed_out": _transport_failure(400, "Error: Timed Out"),
    "media": _transport_failure(400, "Owned media must be a url or base64"),
    "401": _transport_failure(401, "Unauthorized"),
    "403": _transport_failure(403, "Forbidden"),
    "404": _transport_failure(404, "The instance does not exist"),
    "429": _transport_failure(429, "Too Many Requests"),
    "500": _transport_failure(500, "Internal Server Error"),
    "502": _transport_failure(502, "Bad Gateway"),
    "503": _transport_failure(503, "Service Unavailable"),
    "504": _transport_failure(504, "Gateway Timeout"),
}

FAILURES: Mapping[Driver, Mapping[str, GatewayFailure]] = {
    "simulator": OWN_FAILURES,
    "cloud_api": CLOUD_API_FAILURES,
    "waha": WAHA_FAILURES,
    "evolution": EVOLUTION_FAILURES,
}

GENERIC_CODES: Mapping[Driver, Mapping[str, str]] = {
    "simulator": {},
    "cloud_api": {
        "transient": "131016",
        "throttled": "130429",
        "profile_blocked": "131031",
        "recipient_invalid": "131026",
        "content_refused": "131009",
    },
    "waha": {
        "transient": "422",
        "throttled": "429",
        "profile_blocked": "463",
        "recipient_invalid": "no_whatsapp",
        "content_refused": "not_implemented",
    },
    "evolution": {
        "transient": "closed",
        "throttled": "429",
        "profile_blocked": "463",
        "recipient_invalid": "no_whatsapp",
        "content_refused": "media",
    },
}


def code_for(driver: Driver, code: str) -> str | None:
    """The gateway's own code for `code`, which may be a generic code. None if the gateway has no such code."""
    own = GENERIC_CODES[driver].get(code, code)
    return own if own in FAILURES[driver] else None
