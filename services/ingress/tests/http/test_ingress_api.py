"""The API as a whole: authentication, problems, and the OpenAPI document."""

from typing import Any

import pytest
from fastapi import FastAPI

from ingress.app import build
from ingress.settings import IngressSettings
from ingress.testing import System, running
from spreader.runtime.postgres import create_engine
from spreader.settings import Settings
from spreader.testing.conformance import undocumented

PROBLEM = {"type", "title", "status", "detail", "instance", "code"}


async def test_requests_need_the_api_key_except_webhooks(system: System) -> None:
    shown: dict[str, int] = {}
    for header in ("", "Bearer", "Bearer wrong", "bearer test-key", "Basic test-key", "Bearer test-key"):
        answer = await system.http.get("/packages", headers={"Authorization": header})
        shown[header] = answer.status_code
    assert shown == {**dict.fromkeys(shown, 401), "Bearer test-key": 200}
    problem = await system.http.get("/nowhere", headers=[(b"Authorization", "Bearer ключ".encode())])
    assert (problem.status_code, problem.headers["www-authenticate"], set(problem.json())) == (401, "Bearer", PROBLEM)


def test_the_ingress_does_not_start_without_an_api_key() -> None:
    with pytest.raises(ValueError, match="SPREADER_API_KEY is not set"):
        build(IngressSettings(api_key=None))


async def test_every_failure_is_a_problem_whose_type_is_a_path_that_describes_it(system: System) -> None:
    answers = [
        (await system.http.get("/nowhere"), 404),
        (await system.http.put("/packages"), 405),
        (await system.http.get("/packages?limit=x"), 422),
        (await system.http.post("/packages", content=b"{"), 400),
    ]
    for answer, status in answers:
        problem = answer.json()
        assert (answer.status_code, problem["status"]) == (status, status)
        assert answer.headers["content-type"] == "application/problem+json"
        assert set(problem) >= PROBLEM
        page = await system.http.get(f"http://ingress{problem['type']}")
        assert (page.status_code, page.json()["title"]) == (200, problem["title"])
    assert answers[1][0].headers["allow"] == "GET, POST"


async def test_an_unexpected_error_is_a_problem_without_its_stack_trace(system: System) -> None:
    async def broken() -> None:
        raise RuntimeError("secret 201000000011")

    system.app.add_api_route("/broken", broken)  # outside the API: its document has no such operation
    answer = await system.http.get("http://ingress/broken")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "201000000011" not in answer.text


async def test_without_the_database_small_messages_are_accepted_and_the_rest_is_503(system: System) -> None:
    await system.package("a")
    away = create_engine(Settings(database_url="postgresql://postgres@127.0.0.1:9/none"), "ingress")
    async with running(away, system.clock(), relaying=False) as broken:
        broken.packages.set("pkg", system.snapshot())
        path, body = "/packages/pkg/messages/open", {"type": "text", "text": "Hi", "recipients": ["201000000011"]}
        sent = await broken.http.post(path, json=body, headers={"Prefer": "respond-async"})
        keyed = await broken.http.post(path, json=body, headers={"Idempotency-Key": "k"})
        listed = await broken.http.get("/packages")
    assert sent.status_code == 202
    assert [(each.status_code, each.json()["code"]) for each in (keyed, listed)] == [(503, "unavailable")] * 2
    assert ["retry-after" in each.headers for each in (keyed, listed)] == [True, True]


def test_every_answer_has_a_schema_and_an_example_that_fits_it() -> None:
    assert list(undocumented(build(IngressSettings(api_key="k")).openapi())) == []


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(path, operation) for path, methods in document["paths"].items() for operation in methods.values()]


def test_the_openapi_document_is_complete() -> None:
    app: FastAPI = build(IngressSettings(api_key="k"))
    document = app.openapi()
    assert document["openapi"].startswith("3.1")
    found = operations(document)
    names = [operation["operationId"] for _, operation in found]
    assert sorted(set(names)) == sorted(names)
    for path, operation in found:
        assert operation["summary"]
        assert operation["tags"]
        assert [{"apiKey": []}] * (not path.startswith("/api/v1/webhooks")) == operation["security"]
        problems = {status for status in operation["responses"] if status >= "4"}
        assert "500" in problems
        for status in problems:
            assert list(operation["responses"][status]["content"]) == ["application/problem+json"]
    contents = [operation["requestBody"]["content"] for _, operation in found if "requestBody" in operation]
    bodies = [each["application/json"] for each in contents if "application/json" in each]
    assert all(each["examples"] for each in bodies)
    assert [list(each) for each in contents if "multipart/form-data" in each] == [
        ["multipart/form-data", "application/octet-stream"]
    ]
    assert all(each["text/csv"]["example"] for each in contents if "text/csv" in each)
    assert unresolved(document, document) == []


def unresolved(value: Any, document: dict[str, Any]) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        missing = [each for each in own if each.rsplit("/", 1)[1] not in document["components"]["schemas"]]
        return missing + [each for member in value.values() for each in unresolved(member, document)]
    return [each for member in value for each in unresolved(member, document)] if isinstance(value, list) else []
