"""Accepted message: the row of a message, as its request describes it."""

from collections.abc import Sequence

from pydantic_core import to_json

from ingress.sql.status import NewMessage
from spreader.contract.events import Lane, OpenMessageRequested, ReplyMessageRequested
from spreader.phone.canonical import one_each


def accepted_open(event: OpenMessageRequested) -> NewMessage:
    recipients = one_each(event.recipients)
    return _accepted(event, "open", event.total or len(recipients), recipients)


def accepted_reply(event: ReplyMessageRequested) -> NewMessage:
    return _accepted(event, "reply", 1, (event.recipient,))


def _accepted(
    event: OpenMessageRequested | ReplyMessageRequested, lane: Lane, count: int, recipients: Sequence[str]
) -> NewMessage:
    return NewMessage(
        message_id=event.message_id,
        package_id=event.package_id,
        lane=lane,
        kind=event.content.type,
        recipients=count,
        accepted_at=event.requested_at,
        traceparent=event.traceparent,
        name=event.name,
        tags=to_json(event.tags).decode(),
        content=event.content.model_dump_json(exclude_none=True),
        sent_by=None if event.sent_by is None else event.sent_by.model_dump_json(),
        resend_of=event.resend_of,
        only_recipient=recipients[0] if count == 1 else None,
    )
