"""Conformance: an answer that is not as the OpenAPI document says is found, and so is a gap of the document."""

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Any, NotRequired

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from typing_extensions import TypedDict

from spreader.http import openapi, problems
from spreader.http.openapi import PageBody, answer
from spreader.http.problem_schemas import problem_answers
from spreader.http.problems import COMMON_KINDS, not_found
from spreader.testing.conformance import Conformance, checked_client, undocumented

EXAMPLE = {"id": "a", "at": "2024-02-08T18:45:12Z", "note": None}


class Thing(TypedDict):
    id: str
    at: datetime
    note: str | None
    more: NotRequired[int]


def app(shape: Any = Thing, example: Any = EXAMPLE, **problem_statuses: int) -> FastAPI:
    app = FastAPI()
    problems.install(app)
    openapi.install(app, COMMON_KINDS, "Things")

    async def things(status: int = 200, body: str = "{}") -> JSONResponse:
        if status == 404:
            raise not_found("thing", "x")
        return JSONResponse(httpx.Response(200, text=body).json(), status)

    documented = {200: answer(shape, example), **problem_answers(COMMON_KINDS, problem_statuses.values())}
    app.add_api_route("/api/things", things, responses=documented)
    return app


@pytest.fixture
async def http() -> AsyncGenerator[httpx.AsyncClient]:
    things = app()
    async with checked_client(things, "http://things", {}, Conformance(things.openapi())) as client:
        yield client


async def test_an_answer_with_the_documented_members_is_as_the_document_says(http: httpx.AsyncClient) -> None:
    for body in ('{"id": "a", "at": "2024-02-08T18:45:12Z", "note": null}',
                 '{"id": "a", "at": "2024-02-08T18:45:12Z", "note": "x", "more": 1}'):  # fmt: skip
        assert (await http.get("/api/things", params={"body": body})).status_code == 200
    assert (await http.get("/api/elsewhere")).status_code == 404
    assert (await http.post("/api/things")).status_code == 405


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"body": '{"id": "a", "at": "2024-02-08T18:45:12Z"}'}, '"note" is a required property'),
        ({"body": '{"id": "a", "at": "2024-02-08T18:45:12Z", "note": 1}'}, "1 is not valid"),
        ({"body": '{"id": "a", "at": "2024-02-08T18:45:12Z", "note": null, "new": 1}'}, "'new' was unexpected"),
        ({"body": '{"id": "a", "at": "noon", "note": null}'}, 'is not a "date-time"'),
        ({"status": 202}, "GET /api/things answered 202, but documents only 200, 500, 503: add it"),
        ({"status": 404}, "GET /api/things answered 404, but documents only 200, 500, 503: add it"),
    ],
)  # fmt: skip
async def test_another_answer_is_found(http: httpx.AsyncClient, parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(AssertionError) as found:
        await http.get("/api/things", params=parameters)
    assert said in str(found.value)


def test_a_document_whose_answers_have_schemas_with_examples_has_no_gap() -> None:
    assert list(undocumented(app().openapi())) == []
    assert list(undocumented(app(PageBody[Thing], {"data": [EXAMPLE], "next_cursor": None}, one=404).openapi())) == []


@pytest.mark.parametrize(
    ("shape", "example", "gap"),
    [
        (dict[str, Any], {}, "GET /api/things 200 application/json: the schema says nothing about the answer."),
        (Thing, None, "GET /api/things 200 application/json: there is no example. Give the route a `response`"),
        (Thing, {"id": "a", "at": "2024-02-08T18:45:12Z"}, "the example is not as the schema says, at []: \"note\""),
    ],
)  # fmt: skip
def test_a_gap_of_a_document_is_found(shape: Any, example: Any, gap: str) -> None:
    (found,) = undocumented(app(shape, example).openapi())
    assert gap in found


def test_an_example_keeps_its_nulls_and_a_problem_names_the_codes_of_its_status() -> None:
    document = app(one=404).openapi()
    responses = document["paths"]["/api/things"]["get"]["responses"]
    assert responses["200"]["content"]["application/json"]["example"] == EXAMPLE
    assert responses["404"]["content"]["application/problem+json"]["schema"] == {
        "$ref": "#/components/schemas/Problem404"
    }
    assert document["components"]["schemas"]["Problem404"]["properties"]["code"]["enum"] == ["not-found"]
    assert "422" not in responses  # FastAPI adds it, but no endpoint returns it in that form
