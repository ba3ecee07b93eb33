"""Found message: which message of a gateway is the delivery in doubt."""

from datetime import timedelta
from typing import Any

import pytest

from sender.core.found_message import CLOCK_MARGIN, evolution_messages, forms_of, found_message, waha_messages
from sender.gateways.waha import message_id
from sender.testing import NOON, PHONE, released, reply

SECONDS = int(NOON.timestamp())
TEXT = getattr(reply().content, "text", "")


def evolution(at: Any = SECONDS, text: str = TEXT, phone: str = PHONE, **key: Any) -> dict[str, Any]:
    shown = {"id": "3EB0AA", "fromMe": True, "remoteJid": f"{phone}@s.whatsapp.net", **key}
    return {"key": shown, "message": {"conversation": text}, "messageTimestamp": at}


def waha(at: Any = SECONDS, text: str = TEXT, phone: str = PHONE, **more: Any) -> dict[str, Any]:
    return {"id": f"true_{phone}@c.us_3EB0AA", "timestamp": at, "fromMe": True, "body": text, "to": None, **more}


def by_evolution(*records: Any, **more: Any) -> str | None:
    body = {"messages": {"total": len(records), "records": list(records)}}
    return found_message(reply(**more), evolution_messages(body))


def by_waha(*items: Any, **more: Any) -> str | None:
    return found_message(reply(**more), waha_messages(list(items), message_id))


def test_the_message_of_a_delivery_is_found() -> None:
    assert by_evolution(evolution()) == by_waha(waha()) == "3EB0AA"
    lid = {"remoteJid": "199@lid", "remoteJidAlt": f"{PHONE}@s.whatsapp.net"}
    assert by_evolution(evolution(**lid)) == "3EB0AA"
    assert found_message(released(), waha_messages([waha()], message_id)) == "3EB0AA"


@pytest.mark.parametrize(
    "message",
    [
        {"extendedTextMessage": {"text": TEXT}},
        {"imageMessage": {"caption": TEXT}},
        {"documentWithCaptionMessage": {"message": {"documentMessage": {"caption": TEXT}}}},
    ],
)
def test_a_text_is_found_in_each_kind_of_message(message: dict[str, Any]) -> None:
    assert by_evolution({**evolution(), "message": message}) == "3EB0AA"


@pytest.mark.parametrize(
    ("one", "other"),
    [("5582999448232", "558299448232"), ("5215512345678", "525512345678"), ("5491123456789", "541123456789")],
)
def test_a_number_is_found_in_its_other_form(one: str, other: str) -> None:
    """Evolution API sends to `525512345678` and `541123456789`, whichever form it was given."""
    for number, shown in ((one, other), (other, one)):
        assert by_waha(waha(phone=shown), recipient=number) == "3EB0AA"
        assert by_evolution(evolution(phone=shown), recipient=number) == "3EB0AA"
        assert forms_of(number) == {one, other}, "a delivery to the other form may be meant"


@pytest.mark.parametrize(
    "other",
    [
        {"text": "Something else"},
        {"phone": "201999999999"},
        {"at": SECONDS - int(CLOCK_MARGIN.total_seconds()) - 1},
        {"at": "soon"},
        {"at": -1},
        {"at": 2**40},
        {"fromMe": False},
    ],
)
def test_another_message_is_not_taken_for_it(other: dict[str, Any]) -> None:
    assert by_evolution(evolution(**other)) is None
    assert by_waha(waha(**other)) is None


@pytest.mark.parametrize("body", [None, {}, [], "x", {"messages": {"records": None}}, [None, 1, {"fromMe": True}]])
def test_an_odd_answer_finds_nothing(body: Any) -> None:
    assert list(evolution_messages(body)) == list(waha_messages(body, message_id)) == []


def test_of_two_messages_the_newest_is_meant() -> None:
    """A reply in doubt was sent once more, and both tries arrived."""
    later = {**waha(at=SECONDS + 7), "id": f"true_{PHONE}@c.us_3EB0BB"}
    assert by_waha(waha(), later) == "3EB0BB"


def test_a_delivery_is_asked_for_when_it_is_released() -> None:
    assert found_message(released(), waha_messages([waha(at=SECONDS - 60)], message_id)) is None
    assert reply().requested_at == NOON
    assert released().released_at - NOON < timedelta(seconds=2)
