"""Recipients form: the numbers that a request adds to a list."""

from typing import Annotated

from pydantic import FailFast, TypeAdapter

from ingress.core.recipient_parts import RecipientParts
from ingress.http import request_body
from ingress.http.dialled_numbers import dialled_numbers
from ingress.http.json_bounds import VALUES_MAX, count_wrong, some
from ingress.http.request_body import RequestForm
from spreader.contract.ids import PhoneNumber
from spreader.http.problems import Problem

RECIPIENTS_MAX = 10_000


class RecipientsForm(RequestForm):
    recipients: Annotated[
        tuple[PhoneNumber, ...],
        FailFast(),
        count_wrong(RECIPIENTS_MAX),
        some(RECIPIENTS_MAX),
    ]


_RECIPIENTS = TypeAdapter(RecipientsForm)


def read_recipients(body: bytes, country: str | None = None) -> RecipientParts | Problem:
    """A child process runs this function for a large request. `country`: the country whose national numbers are
    completed."""
    try:
        form = request_body.try_parse(_RECIPIENTS, body, values_max=VALUES_MAX)
    except Problem as malformed:
        return malformed
    numbers = form if isinstance(form, Problem) else dialled_numbers(form.recipients, country, "/recipients")
    return numbers if isinstance(numbers, Problem) else RecipientParts.of(numbers)
