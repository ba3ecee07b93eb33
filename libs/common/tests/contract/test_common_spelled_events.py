"""Events about a person: the key is the same for each spelling of the number, and the number stays as it was given."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from spreader.contract.content import TextContent
from spreader.contract.events import ConsentChanged, CustomerMessage, Event, ReplyMessageRequested
from spreader.contract.ids import conversation_id
from spreader.kafka.envelope import decode, encode

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY, OTHER = "5582999448232", "558299448232"


def wrote(number: str) -> CustomerMessage:
    return CustomerMessage(package_id="one", profile_id="p", recipient=number, gateway_message_id="g", at=NOON)


def reply(number: str, conversation: str | None = None) -> ReplyMessageRequested:
    content = TextContent(type="text", text="Hello")
    return ReplyMessageRequested(
        package_id="one", message_id="m", content=content, recipient=number, conversation_id=conversation,
        requested_at=NOON,
    )  # fmt: skip


def consent(number: str) -> ConsentChanged:
    return ConsentChanged(package_id="one", recipient=number, kind="opt_in", listed=True, source="api", at=NOON)


@pytest.mark.parametrize("of", [wrote, reply, consent])
def test_records_about_one_person_have_one_kafka_key(of: Callable[[str], Event]) -> None:
    assert of(KEY).key == of(OTHER).key


@pytest.mark.parametrize("number", [KEY, OTHER])
def test_a_record_has_the_number_as_it_was_given_and_the_key_where_it_differs(number: str) -> None:
    event = wrote(number)
    record = encode(event, "ingress", NOON)
    body = json.loads(record.body or b"")
    assert (body["recipient"], body.get("recipient_key")) == (number, None if number == KEY else KEY)
    assert decode(record.topic, record.headers, record.body) == event


def test_a_reader_computes_the_key_itself() -> None:
    record = encode(wrote(OTHER), "ingress", NOON)
    body = {**json.loads(record.body or b""), "recipient_key": "201001234567"}
    event = decode(record.topic, record.headers, json.dumps(body).encode())
    assert isinstance(event, CustomerMessage)
    assert (event.person, event.recipient_key) == (KEY, KEY)


@pytest.mark.parametrize("of", [KEY, OTHER])
@pytest.mark.parametrize("to", [KEY, OTHER])
def test_the_conversation_id_of_each_spelling_continues_the_conversation(of: str, to: str) -> None:
    request = reply(to, conversation_id("one", of))
    assert (request.continues_conversation, request.contradiction) == (True, None)
