"""Completed request: a request with its national numbers in international form, as far as they can be completed."""

from spreader.contract.events import OpenMessageRequested, ReplyMessageRequested
from spreader.phone.national import complete


def completed_open(request: OpenMessageRequested, country: str | None) -> OpenMessageRequested:
    """`country`: the country of the package, or the one with which the decision on the request was made."""
    if country is None:
        return request
    numbers = tuple(complete(recipient, country) for recipient in request.recipients)
    return request if numbers == request.recipients else request.model_copy(update={"recipients": numbers})


def completed_reply(request: ReplyMessageRequested, country: str | None) -> ReplyMessageRequested:
    number = complete(request.recipient, country)
    return request if number == request.recipient else request.model_copy(update={"recipient": number})
