"""Request id: the same in the response, in the problem and in the log lines of a request."""

import json

import httpx
import pytest
import structlog
from fastapi import FastAPI

from spreader.http import problems
from spreader.runtime.service import Service


def app() -> FastAPI:
    app = Service("shop", ()).app()

    @app.get("/orders/{number}")
    async def get(number: int) -> None:
        structlog.get_logger().info("asked", number=number)
        if number == 13:
            raise KeyError("a defect")
        raise problems.not_found("order", str(number))

    problems.install(app)
    return app


@pytest.mark.parametrize(("number", "status"), [(1, 404), (13, 500)])
@pytest.mark.parametrize("given", ["order-17.a", "", "two words", "x" * 65, "café"])
async def test_response_problem_and_log_lines_have_the_same_id(number: int, status: int, given: str) -> None:
    transport = httpx.ASGITransport(app=app(), raise_app_exceptions=False)
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logged:
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as http:
            response = await http.get(f"/orders/{number}", headers={b"X-Request-Id": given.encode()})
    request_id = response.headers["x-request-id"]
    assert response.status_code == status
    assert json.loads(response.text)["instance"] == f"urn:spreader:{request_id}"
    assert {line["request_id"] for line in logged} == {request_id}
    assert request_id == given if given == "order-17.a" else request_id.startswith("req_")


async def test_every_response_has_its_own_id() -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app()), base_url="http://shop") as http:
        ids = [(await http.get(path)).headers["x-request-id"] for path in ("/health/live", "/metrics", "/nowhere")]
    assert len(set(ids)) == 3
