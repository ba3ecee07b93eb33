"""Envelope: undecodable records are refused with a reason before a handler sees them."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from spreader.contract.content import TextContent
from spreader.contract.events import (
    CustomerMessage,
    MessageCancelled,
    MessageRouted,
    OpenMessageRequested,
    ReplyMessageRequested,
)
from spreader.kafka.envelope import UndecodableRecord, decode, encode, read_headers

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVENT = MessageCancelled(package_id="pkg_shop", message_id="msg_1", at=NOON)
TOPIC = MessageCancelled.topic
HEADERS = {"ce_id": "msg_1", "ce_type": MessageCancelled.type}
BODY = EVENT.model_dump_json().encode()


def test_a_complete_record_decodes_to_its_event() -> None:
    assert decode(TOPIC, HEADERS, BODY) == EVENT


@pytest.mark.parametrize(
    ("topic", "headers", "body", "complaint"),
    [
        (TOPIC, {**HEADERS, "ce_id": ""}, BODY, "`ce_id` is missing"),
        (TOPIC, {"ce_type": MessageCancelled.type}, BODY, "`ce_id` is missing"),
        (TOPIC, {}, BODY, "`ce_id` is missing"),
        (TOPIC, {"ce_id": "msg_1"}, BODY, "`ce_type` is None"),
        (TOPIC, {**HEADERS, "ce_type": "spreader.message-cancelled.v9"}, BODY, "does not know"),
        (CustomerMessage.topic, HEADERS, BODY, f"belongs to {TOPIC}"),
        (TOPIC, HEADERS, None, "has no body"),
    ],
)
def test_an_undecodable_record_is_refused_with_the_reason(
    topic: str, headers: dict[str, str], body: bytes | None, complaint: str
) -> None:
    with pytest.raises(UndecodableRecord, match=complaint):
        decode(topic, headers, body)


@pytest.mark.parametrize(
    "garbage", [b"", b"\x00\xff\xfe", b"{", b"[]", b"null", b"{}", b'"text"', b"[" * 100_000, b'{"at": "' + BODY]
)
def test_garbage_is_refused_and_never_crashes_the_reader(garbage: bytes) -> None:
    with pytest.raises(ValidationError):
        decode(TOPIC, HEADERS, garbage)


@pytest.mark.parametrize("at", ["2026-03-01T12:00:00", "noon", 5.5e30])
def test_a_time_without_a_zone_is_refused(at: object) -> None:
    body = BODY.replace(b'"2026-03-01T12:00:00Z"', f'"{at}"'.encode())
    assert body != BODY
    with pytest.raises(ValidationError, match="at"):
        decode(TOPIC, HEADERS, body)


def test_headers_that_are_not_text_are_escaped() -> None:
    pairs: list[tuple[str, bytes]] = [("ce_id", b"\xff\xfe"), ("ce_type", b"")]
    assert read_headers(pairs) == {"ce_id": "\\xff\\xfe", "ce_type": ""}
    assert read_headers([("nothing", None)]) == {"nothing": ""}  # pyright: ignore[reportArgumentType] - Kafka may


def test_a_callback_goes_to_the_partition_of_its_receiver() -> None:
    routed = MessageRouted(callback_partition=5, message_id="msg_1", first_index=0, distribution={"prf_1": 1})
    envelope = encode(routed, "router", NOON)
    assert (envelope.partition, envelope.key) == (5, None)


def test_the_trace_is_sent_as_a_header() -> None:
    place = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    traced = EVENT.model_copy(update={"traceparent": place})
    envelope = encode(traced, "ingress", NOON)
    assert envelope.headers["traceparent"] == place
    assert envelope.body == encode(EVENT, "ingress", NOON).body
    assert decode(TOPIC, envelope.headers, envelope.body) == traced


@pytest.mark.parametrize("said", ["", "00-trace-span-01", "00-a-b-01\r\nHost: elsewhere"])
def test_an_invalid_trace_header_is_ignored(said: str) -> None:
    assert decode(TOPIC, {**HEADERS, "traceparent": said}, BODY) == EVENT


@pytest.mark.parametrize("broken", [r"\u0000", r"\ud83d", r"\ude00"])
def test_a_text_that_no_store_keeps_is_decoded_with_a_replacement(broken: str) -> None:
    message = CustomerMessage(
        package_id="pkg", profile_id="a", recipient="201000000001", gateway_message_id="g1", text="Hi #", at=NOON
    )
    body = message.model_dump_json().replace("#", broken).encode()
    headers = {"ce_id": "a/g1", "ce_type": CustomerMessage.type}
    assert decode(CustomerMessage.topic, headers, body) == message.model_copy(update={"text": "Hi \ufffd"})


@pytest.mark.parametrize("kind", [OpenMessageRequested, ReplyMessageRequested])
def test_a_request_with_such_a_text_says_which_field_it_was(
    kind: type[OpenMessageRequested] | type[ReplyMessageRequested],
) -> None:
    whom = {"recipients": ("201000000001",)} if kind is OpenMessageRequested else {"recipient": "201000000001"}
    hello = TextContent(type="text", text="Hello #")
    request = kind.model_validate(
        {"package_id": "pkg", "message_id": "msg_1", "content": hello, "requested_at": NOON, **whom}
    )
    headers = {"ce_id": "msg_1", "ce_type": kind.type}
    whole = decode(kind.topic, headers, request.model_dump_json().replace("#", r"\ud83d\ude00").encode())
    assert isinstance(whole, kind)
    assert whole.contradiction is None
    broken = decode(kind.topic, headers, request.model_dump_json().replace("#", r"\ud83d").encode())
    assert isinstance(broken, kind)
    assert str(broken.contradiction).startswith("/content/text: half a character")
    assert broken.model_copy(update={"traceparent": "x"}).contradiction == broken.contradiction
