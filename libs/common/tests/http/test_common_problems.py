"""Problems: every exception of an app becomes one shape, whose `type` is a path that describes it."""

from collections.abc import AsyncGenerator
from typing import Annotated, Any

import httpx
import pytest
import structlog
from fastapi import FastAPI, HTTPException, Path, Request
from pydantic import BaseModel
from sqlalchemy.exc import DBAPIError

from spreader.http import problems
from spreader.http.problems import COMMON_KINDS, ProblemKind, not_found, unavailable

KINDS = (*COMMON_KINDS, ProblemKind("closed", 409, "Closed"))


class DriverError(Exception):
    """An error of Postgres, as its driver reports it."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


class Order(BaseModel):
    count: int


counted: list[str] = []


def order_app() -> FastAPI:
    app = FastAPI()

    @app.get("/orders/{number}")
    async def get(number: Annotated[int, Path()], fail: str = "") -> None:
        failures = {
            "unknown": not_found("order", str(number)),
            "away": unavailable("The store is closed."),
            "database": ConnectionResetError(),
            "form": HTTPException(400),
            "large": HTTPException(413),
            "no table": DBAPIError("SELECT", {}, DriverError("42P01")),
            "no column": DBAPIError("SELECT", {}, DriverError("42703")),
            "wrong statement": DBAPIError("SELECT", {}, DriverError("42601")),
            "bug": KeyError("secret"),
        }
        raise failures[fail]

    @app.post("/orders")
    async def add(order: Order) -> None: ...

    @app.put("/orders")
    async def replace(request: Request) -> int:
        return len(await request.body())

    problems.install(app, KINDS, count=lambda kind: counted.append(kind.code))
    return app


@pytest.fixture
async def http() -> AsyncGenerator[httpx.AsyncClient]:
    counted.clear()
    transport = httpx.ASGITransport(app=order_app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://orders") as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/orders/1?fail=unknown", 404, "not-found"),
        ("GET", "/orders/1?fail=away", 503, "unavailable"),
        ("GET", "/orders/1?fail=database", 503, "unavailable"),
        ("GET", "/orders/1?fail=form", 400, "malformed"),
        ("GET", "/orders/1?fail=large", 400, "malformed"),
        ("GET", "/orders/1?fail=no table", 503, "unavailable"),
        ("GET", "/orders/1?fail=no column", 503, "unavailable"),
        ("GET", "/orders/1?fail=wrong statement", 500, "internal"),
        ("GET", "/orders/1?fail=bug", 500, "internal"),
        ("GET", "/orders/one", 422, "invalid"),
        ("GET", "/elsewhere", 404, "not-found"),
        ("DELETE", "/orders/1", 405, "method"),
    ],
)
async def test_every_failure_has_one_shape_and_is_counted(
    http: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    response = await http.request(method, path)
    problem = response.json()
    assert (response.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["instance"].startswith("urn:spreader:req_")
    assert "secret" not in response.text
    assert counted == [code]
    described = await http.get(problem["type"])
    assert described.json() == {"code": code, "status": status, "title": problem["title"]}


@pytest.mark.parametrize(
    ("body", "pointer"), [(b'{"count": "many"}', "/count"), (b"{}", "/count"), (b"{", ""), (b"[]", "")]
)
async def test_an_error_in_the_body_has_a_json_pointer_into_it(
    http: httpx.AsyncClient, body: bytes, pointer: str
) -> None:
    response = await http.post("/orders", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == pointer


async def test_a_body_that_cannot_be_read_is_malformed(http: httpx.AsyncClient) -> None:
    """Starlette itself refuses it with 400."""
    answer = await http.post("/orders", content=b"\xff", headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")
    assert "is not part of this API" not in answer.json()["detail"]


async def test_before_the_migrations_ran_a_caller_is_asked_to_come_back(http: httpx.AsyncClient) -> None:
    answer = await http.get("/orders/1?fail=no table")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert "creates its tables" in answer.json()["detail"]


async def test_headers_say_when_to_come_back_and_what_is_allowed(http: httpx.AsyncClient) -> None:
    assert (await http.get("/orders/1?fail=away")).headers["retry-after"] == "2"
    assert (await http.delete("/orders/1")).headers["allow"] == "GET"


async def test_an_unknown_kind_of_problem_is_not_found(http: httpx.AsyncClient) -> None:
    assert (await http.get("/problems/nothing")).status_code == 404


async def test_a_caller_that_leaves_while_it_sends_the_body_is_no_failure() -> None:
    """Red before: it was counted and logged as a defect with status 500."""
    counted.clear()
    came = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])
    statuses = list[int]()

    async def receive() -> dict[str, Any]:
        return next(came)

    async def send(message: Any) -> None:
        statuses.extend([message["status"]] if "status" in message else [])

    scope = {"type": "http", "method": "PUT", "path": "/orders", "query_string": b"", "headers": []}
    with structlog.testing.capture_logs() as logged:
        await order_app()(scope, receive, send)
    assert (counted, logged, statuses) == ([], [], [400])
