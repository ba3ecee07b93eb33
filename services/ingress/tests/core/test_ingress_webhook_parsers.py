"""Webhook parsers: every shape of a gateway's webhook with the reports in it. One file per shape, under shapes/."""

import copy
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from ingress.core import failures
from ingress.core.opt_out import is_opt_out
from ingress.core.reports import (
    AccountStatusReport,
    AddressedReport,
    CalledProfile,
    Echo,
    EditedMessage,
    Ignored,
    InboundMessage,
    MarketingPreference,
    MessageReceipt,
    NumberChange,
    ProfileByAccount,
    ProfileByPhone,
    ProfilesOfHolder,
    Report,
    Target,
    UnexpectedMessage,
)
from ingress.core.webhook_parsers import WebhookParser
from ingress.core.webhook_parsers.cloud_api import CloudApiParser
from ingress.core.webhook_parsers.evolution import EvolutionParser
from ingress.core.webhook_parsers.simulator import SimulatorParser
from ingress.core.webhook_parsers.waha import WahaParser
from spreader.text.clean_text import clean

SHAPES = sorted((Path(__file__).parent / "shapes").glob("*/*.json"))
PARSERS: dict[str, WebhookParser] = {
    "cloud_api": CloudApiParser(),
    "waha": WahaParser(),
    "evolution": EvolutionParser(),
}
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def plain(addressed: AddressedReport) -> dict[str, Any]:
    """A report as the files write it, under their older names. Without None and without ids made of the body."""
    report, target = addressed.report, addressed.target
    whom = _TARGETS[type(target)]
    match target:
        case ProfileByAccount(name) | ProfileByPhone(name):
            whom = f"{whom} {name}"
        case _:
            pass
    fields = {name: getattr(report, name) for name in report.__dataclass_fields__ if name != "report_id"}
    if isinstance(report, Ignored):
        fields = {"why": report.reason}
    values = {name: _plain(value) for name, value in fields.items() if value is not None}
    return {"whom": whom, "says": _REPORTS[type(report)], **values}


_TARGETS: dict[type[Target], str] = {
    CalledProfile: "Addressed",
    ProfileByAccount: "Account",
    ProfileByPhone: "Number",
    ProfilesOfHolder: "Holder",
}
_REPORTS: dict[type[Report], str] = {
    MessageReceipt: "Receipt",
    Echo: "Echo",
    InboundMessage: "Words",
    EditedMessage: "Edit",
    UnexpectedMessage: "Unexpected",
    NumberChange: "NewNumber",
    MarketingPreference: "Wish",
    AccountStatusReport: "Standing",
    Ignored: "Nothing",
}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value.model_dump(mode="json", exclude_none=True) if isinstance(value, BaseModel) else value


def body_of(path: Path) -> Any:
    return json.loads(path.read_text())["body"]


def read(driver: str, body: Any) -> list[AddressedReport]:
    return PARSERS[driver].parse(json.dumps(body).encode(), NOON)


@pytest.mark.parametrize("path", SHAPES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_shape_has_the_reports_of_its_file(path: Path) -> None:
    assert [plain(each) for each in read(path.parent.name, body_of(path))] == json.loads(path.read_text())["reports"]


def test_every_gateway_has_its_shapes() -> None:
    counted = {driver: sum(path.parent.name == driver for path in SHAPES) for driver in PARSERS}
    assert all(count >= 30 for count in counted.values()), counted


def test_only_the_same_report_has_the_same_id() -> None:
    for path in SHAPES:
        body = body_of(path)
        names = [[getattr(each.report, "report_id", None) for each in read(path.parent.name, body)] for _ in range(2)]
        assert names[0] == names[1]
    restriction = body_of(next(path for path in SHAPES if path.stem == "account_restriction"))
    again = copy.deepcopy(restriction)
    again["entry"][0]["time"] += 86_400  # the same restriction once more, a day later
    first, second = (getattr(read("cloud_api", body)[0].report, "report_id", None) for body in (restriction, again))
    assert first != second


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"null", b"\xff", b'{"a": NaN}'])
@pytest.mark.parametrize("driver", PARSERS)
def test_a_body_that_is_not_a_json_object_is_refused(driver: str, body: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        PARSERS[driver].parse(body, NOON)


JUNK: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8), st.just([]), st.just({}), st.just([None, 1, "x"]), st.just({"id": {"x": 1}}),
    st.sampled_from(["1@lid", "_", "true_", "9" * 400, "a\0b", "2025-03-06T08:28:22", "-1"]),
    st.sampled_from(["half \ud83d", "\x1b" * 300]),
    st.text("\0\x07\ud83d\ude00a@_", min_size=1, max_size=300),
)  # fmt: skip


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield way
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        yield from places(member, (*way, name))


IDS = {"gateway_message_id", "delivery_id", "code", "report_id", "account", "phone", "recipient"}


def assert_clean(addressed: AddressedReport) -> None:
    """Every text of a report can be stored and sent, and no id is long."""
    for part in (addressed.report, addressed.target):
        for name in part.__dataclass_fields__:
            value = getattr(part, name)
            if isinstance(value, str):
                assert value == clean(value)
                assert name not in IDS or len(value) <= 256


@settings(max_examples=400)
@given(st.data())
def test_any_value_in_any_place_is_parsed(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(SHAPES))
    body = body_of(path)
    way = data.draw(st.sampled_from([way for way in places(body) if way]))
    piece: Any = body
    for step in way[:-1]:
        piece = piece[step]
    piece[way[-1]] = data.draw(JUNK)
    for report in read(path.parent.name, body):
        at = getattr(report.report, "at", NOON)
        assert at <= NOON
        assert_clean(report)


STOPS: dict[str, Any] = {
    "cloud_api": {
        "entry": [{"changes": [{"field": "messages", "value": {"messages": [
            {"from": "201000000011", "id": "#", "type": "text", "text": {"body": "STOP #"}}
        ]}}]}]
    },
    "waha": {
        "event": "message",
        "payload": {"id": "#", "from": "201000000011@c.us", "fromMe": False, "body": "STOP #"},
    },
    "evolution": {
        "event": "messages.upsert",
        "data": {
            "key": {"id": "#", "remoteJid": "201000000011@s.whatsapp.net", "fromMe": False},
            "message": {"conversation": "STOP #"},
        },
    },
    "simulator": {
        "event": "message", "message_id": "#", "from": "201000000011", "text": "STOP #", "at": NOON.isoformat(),
    },
}  # fmt: skip


@pytest.mark.parametrize("broken", [rb"\ud83d", rb"\ude00", rb"\u0000", b"\xed\xa0\xbd", b"\xf0\x9f"])
@pytest.mark.parametrize("driver", STOPS)
def test_an_opt_out_word_beside_half_an_emoji_is_understood(driver: str, broken: bytes) -> None:
    body = json.dumps(STOPS[driver]).encode().replace(b"#", broken)
    (addressed,) = {**PARSERS, "simulator": SimulatorParser()}[driver].parse(body, NOON)
    assert_clean(addressed)
    assert isinstance(addressed.report, InboundMessage)
    assert is_opt_out(addressed.report.text)
    assert set(addressed.report.gateway_message_id) == {"\ufffd"}


@given(st.data())
def test_the_simulators_parser_cleans_every_text(data: st.DataObject) -> None:
    texts = st.text("\0\x07\ud83d\ude00a", min_size=1, max_size=30)
    receipt = {"event": "receipt", "delivery_id": "dlv_1", "status": "failed", "reason": data.draw(texts)}
    message = {"event": "message", "from": "201000000011", "text": data.draw(texts), "type": data.draw(texts)}
    for report in (receipt, message):
        body = {**report, "message_id": data.draw(texts) * 20, "at": NOON.isoformat()}
        (addressed,) = SimulatorParser().parse(json.dumps(body).encode(), NOON)
        assert_clean(addressed)


def test_a_failure_reason_contains_no_phone_number() -> None:
    for failure in (
        failures.cloud_api_failure(131026, "Message to +16505551234 undeliverable"),
        failures.linked_device_failure("463", "16505551234@s.whatsapp.net is restricted"),
    ):
        assert "16505551234" not in failure.reason


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (0, "credentials"), (190, "credentials"), (10, "credentials"), (200, "credentials"), (299, "credentials"),
        (131005, "credentials"), (131000, "transient"), (131016, "transient"), (4, "throttled"), (80007, "throttled"),
        (130429, "throttled"), (131057, "throttled"), (131048, "restricted"), (131056, "pair"), (131049, "capped"),
        (131050, "opted_out"), (131047, "window"), (131026, "recipient"), (131021, "recipient"), (131031, "account"),
        (368, "account"), (131064, "restricted"), (131042, "credentials"), (133010, "profile"), (33, "profile"),
        (131051, "content"), (131053, "content"), (132000, "template"), (132015, "template"), (132999, "template"),
        (None, "transient"), (999_999, "transient"),
    ],
)  # fmt: skip
def test_a_late_failure_has_the_class_of_its_code(code: int | None, kind: str) -> None:
    assert failures.cloud_api_failure(code, None).kind == kind
