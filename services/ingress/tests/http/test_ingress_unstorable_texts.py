"""Unstorable texts: a request with a control character or half a character anywhere is refused with the place named."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from ingress.configuration.packages_endpoint import PACKAGE_FORM
from ingress.configuration.schemas import NewProfile
from ingress.http import request_body
from ingress.messages.schemas import OPEN, REPLY
from ingress.testing import System
from spreader.http.cursors import encode_cursor
from spreader.http.problems import Problem

MEDIA = {"url": "https://example.com/offer.png", "filename": "offer.png"}
PEOPLE = {"recipients": ["201000000011"]}
COMPONENT = {"type": "body", "parameters": [{"type": "text", "text": "Ann"}]}
TEMPLATE = {"name": "order", "language": "en_US", "components": [COMPONENT]}
GATEWAY = {"driver": "waha", "base_url": "http://127.0.0.1:1", "account": "a", "credentials": {"api_key": "secret"}}
FORMS: list[tuple[TypeAdapter[Any], bool, dict[str, Any]]] = [
    (OPEN, True, {"type": "text", "text": "Hello", **PEOPLE}),
    (OPEN, True, {"type": "document", "media": MEDIA, "caption": "Today", **PEOPLE}),
    (OPEN, True, {"type": "template", "template": TEMPLATE, **PEOPLE}),
    (REPLY, True, {"type": "text", "text": "Hi", "recipient": "201000000011", "conversation_id": "c", "quote": "q"}),
    (PACKAGE_FORM, False, {"name": "Orders", "opt_out_words": ["enough"]}),
    (TypeAdapter(NewProfile), False, {"name": "Shop", "phone": "201000000011", "gateway": GATEWAY}),
]
BROKEN = ["\0", "\ud83d", "\ude00", "\ud83d \ude00", "\b", "\x1b", "\x7f", "\x85"]


def texts(value: Any, way: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The way to each text of a JSON value."""
    if isinstance(value, str):
        yield way
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        yield from texts(member, (*way, name))


@given(st.data())
def test_the_field_with_the_text_is_named(data: st.DataObject) -> None:
    form, tagged, valid = data.draw(st.sampled_from(FORMS))
    body, way = copy.deepcopy(valid), data.draw(st.sampled_from([*texts(valid)]))
    assert not isinstance(request_body.try_parse(form, json.dumps(body).encode(), tagged), Problem)
    piece: Any = body
    for step in way[:-1]:
        piece = piece[step]
    piece[way[-1]] += data.draw(st.sampled_from(BROKEN))
    refused = request_body.try_parse(form, json.dumps(body).encode(), tagged)
    assert isinstance(refused, Problem)
    assert refused.kind.status == 422
    pointer = "".join(f"/{step}" for step in way)
    named = {"/type", "/gateway/driver"} & {pointer}  # which form it is: an unknown one has another text
    assert named or refused.errors[0].pointer == pointer
    json.dumps(refused.body(), default=str, ensure_ascii=False).encode()


@pytest.mark.parametrize("broken", BROKEN)
async def test_a_member_name_and_a_merge_patch_are_refused_as_well(system: System, broken: str) -> None:
    await system.package("a")
    for path, body in (
        ("/packages/pkg", {"opt_out_words": [broken]}),
        ("/packages/pkg", {broken: 1}),
        ("/packages/pkg/profiles/a", {"name": broken}),
    ):
        answer = await system.http.patch(path, content=json.dumps(body).encode())
        assert (body, answer.status_code) == (body, 422)
        assert answer.json()["errors"][0]["code"] in ("nul", "surrogate", "control")


@pytest.mark.parametrize("ascii_only", [True, False])
def test_line_breaks_and_tabs_of_a_message_are_accepted(ascii_only: bool) -> None:
    body = {"type": "text", "text": "1:\tone\r\n2:\ttwo é", **PEOPLE}
    parsed = request_body.try_parse(OPEN, json.dumps(body, ensure_ascii=ascii_only).encode(), True)
    assert not isinstance(parsed, Problem)


@pytest.mark.parametrize("name", ["%00.png", "a%00", "a%1B", "a%C2%85"])
async def test_a_file_name_is_refused(system: System, name: str) -> None:
    answer = await system.http.post(f"/media?filename={name}", content=b"GIF89a")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/query/filename")


@pytest.mark.parametrize(("last_id", "status"), [("201000000011", 200), ("a\0", 400), ("\ud83d", 400)])
async def test_a_cursor_with_such_a_text_is_no_cursor(system: System, last_id: str, status: int) -> None:
    await system.package("a")
    path = (await system.http.get("/packages/pkg/suppressions")).request.url.path
    cursor = encode_cursor(path, last_id)
    assert (await system.http.get(f"/packages/pkg/suppressions?cursor={cursor}")).status_code == status
