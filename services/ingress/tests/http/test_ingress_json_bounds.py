"""JSON bounds: a body with too many wrong values is refused early, with at most 50 errors and the number of others."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from ingress.http import json_bounds, problems
from ingress.http.json_bounds import VALUES_MAX, is_phone_number
from ingress.messages.received import receive_open
from ingress.testing import System
from spreader.contract.ids import PhoneNumber
from spreader.http.problems import ERRORS_MAX, FieldError, Problem

OPEN = "/packages/pkg/messages/open"
MESSAGE = '{"type": "text", "text": "Hello", "recipients": [%s]}'


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[FieldError]:
    """The errors that were built, also those that no response shows."""
    errors = list[FieldError]()

    def build(*arguments: Any) -> FieldError:
        errors.append(FieldError(*arguments))
        return errors[-1]

    monkeypatch.setattr(problems, "FieldError", build)
    return errors


@pytest.mark.parametrize(("items", "count"), [('""', 100_000), ("1", 51), ('"201001234567", "1"', 50_000), ("{}", 7)])
async def test_wrong_recipients_are_counted_and_the_first_50_are_named(
    system: System, built: list[FieldError], items: str, count: int
) -> None:
    await system.package("a")
    body = MESSAGE % ", ".join([items] * count)
    response = await system.http.post(OPEN, content=body)
    errors = response.json()["errors"]
    step = 2 if "201" in items else 1
    named = min(count, ERRORS_MAX)
    assert (response.status_code, len(errors)) == (422, named)
    assert [error["pointer"] for error in errors] == [f"/recipients/{step * n + step - 1}" for n in range(named)]
    assert f"(and {count - 1} more)" in response.json()["detail"]
    built.clear()
    refused = receive_open(body.encode())  # the child does this for a large body
    assert isinstance(refused, Problem)
    assert (len(refused.errors), refused.detail) == (named, response.json()["detail"])
    assert named <= len(built) <= ERRORS_MAX + 1


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (MESSAGE % ", ".join(['""'] * 400_000), ""),
        (json.dumps({str(number): 1 for number in range(1_000)}), ""),
        (json.dumps({"type": "text", "options": {str(number): 1 for number in range(201)}}), "/options"),
        (json.dumps({"a/b~c": {str(number): 1 for number in range(201)}}), "/a~1b~0c"),
        (json.dumps({"recipients": [{str(number): 1 for number in range(201)}]}), "/recipients/0"),
    ],
    ids=["items", "members", "options", "escaped", "item"],  # ids are in the environment of a child, so they are short
)
async def test_a_body_with_too_many_values_is_not_validated(
    system: System, monkeypatch: pytest.MonkeyPatch, body: str, pointer: str
) -> None:
    await system.package("a")

    def must_not_run(*_: Any) -> Any:
        raise AssertionError("pydantic has validated the body")

    monkeypatch.setattr("ingress.http.request_body.validation_problem", must_not_run)
    small = ("/packages/pkg/suppressions", "/packages") if len(body) < 256 * 1024 else ()
    for path in (OPEN, "/packages/pkg/messages/preview", *small):
        response = await system.http.post(path, content=body)
        (error,) = response.json()["errors"]
        assert (response.status_code, error["pointer"], error["code"]) == (422, pointer, "too_long"), path
    if small:
        changed = await system.http.patch("/packages/pkg", content=body)
        assert (changed.status_code, changed.json()["errors"][0]["code"]) == (422, "too_long")


@given(st.from_regex(r"[0-9 +]{5,17}\n?") | st.text() | st.integers() | st.none() | st.booleans() | st.just({}))
@example("201001234567\n")
@example("٢٠١٠٠١٢٣٤٥٦٧")
def test_a_phone_number_is_what_pydantic_takes_for_one(item: Any) -> None:
    try:
        TypeAdapter(PhoneNumber).validate_python(item)
    except ValidationError:
        assert not is_phone_number(item)
    else:
        assert is_phone_number(item)


async def test_the_largest_message_is_accepted(system: System) -> None:
    await system.package("a")
    largest = MESSAGE % ", ".join(f'"{201_000_000_000 + number}"' for number in range(100_000))
    assert json_bounds.objection(largest.encode()) is None
    assert largest.count(",") < VALUES_MAX / 2
    more = MESSAGE % ", ".join(['"201001234567"'] * 100_001)
    response = await system.http.post(OPEN, content=more)
    (error,) = response.json()["errors"]
    assert (error["pointer"], error["code"]) == ("/recipients", "too_long")


@pytest.mark.parametrize("name", ["opt_out_words", "active_windows"])
async def test_another_list_stops_at_its_first_error(system: System, built: list[FieldError], name: str) -> None:
    response = await system.http.post("/packages", json={"name": "Orders", name: [""] * 4_000})
    assert (response.status_code, len(response.json()["errors"])) == (422, 1)
    assert len(built) == 1
