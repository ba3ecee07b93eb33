"""Messages: the content that every measurement sends, as an API body and as the records of the ingress."""

from collections.abc import Iterator

from pydantic_core import to_json

from spreader.clock import wall_now
from spreader.contract.content import TextContent
from spreader.contract.events import RECIPIENTS_PER_RECORD_MAX, OpenMessageRequested, ReplyMessageRequested
from spreader.contract.ids import new_id
from spreader.kafka.envelope import Envelope, encode

PACKAGE = "bench"
TEXT = "Hello! Check out our new offers..."
CONTENT = TextContent(type="text", text=TEXT)


def customers(first: int, count: int) -> tuple[str, ...]:
    return tuple(f"2015{number:08}" for number in range(first, first + count))


def open_body(recipients: tuple[str, ...]) -> bytes:
    return to_json({"type": "text", "text": TEXT, "recipients": recipients})


def reply_body(recipient: str) -> bytes:
    return to_json({"type": "text", "text": TEXT, "recipient": recipient})


def open_records(recipients: tuple[str, ...], package_id: str = PACKAGE) -> Iterator[Envelope]:
    """The records of one message."""
    message_id, now = new_id("msg", wall_now()), wall_now()
    for first in range(0, len(recipients), RECIPIENTS_PER_RECORD_MAX):
        event = OpenMessageRequested(
            package_id=package_id,
            message_id=message_id,
            content=CONTENT,
            recipients=recipients[first : first + RECIPIENTS_PER_RECORD_MAX],
            first_index=first,
            total=len(recipients) if len(recipients) > RECIPIENTS_PER_RECORD_MAX else None,
            requested_at=now,
            package_version=1,
            callback_partition=0,
        )
        yield encode(event, "ingress", now)


def reply_record(recipient: str) -> Envelope:
    event = ReplyMessageRequested(
        package_id=PACKAGE,
        message_id=new_id("msg", wall_now()),
        content=CONTENT,
        recipient=recipient,
        requested_at=wall_now(),
        package_version=1,
        callback_partition=0,
    )
    return encode(event, "ingress", wall_now())
