"""Calls between services: refused without the token, except for health and metrics."""

from collections.abc import Mapping

import httpx
import pytest
from fastapi import FastAPI

from spreader.http.auth import internal_only
from spreader.http.service_client import HttpServiceClient
from spreader.runtime.service import Service


async def check() -> dict[str, str]:
    return {}


def client(token: str | None) -> httpx.AsyncClient:
    app: FastAPI = Service("sender", ()).app(middleware=internal_only(token))
    app.add_api_route("/check", check)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://sender")


WRONG: list[Mapping[str, str]] = [
    {}, {"Authorization": "token"}, {"Authorization": "Bearer tokens"}, {"Authorization": "Bearer "},
]  # fmt: skip


@pytest.mark.parametrize("headers", WRONG)
@pytest.mark.parametrize("path", ["/check", "/openapi.json", "/docs", "/nowhere", "/healthy"])
async def test_a_call_without_the_token_is_refused(path: str, headers: Mapping[str, str]) -> None:
    async with client("token") as http:
        refused = await http.get(path, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
    assert refused.headers["www-authenticate"] == "Bearer"


async def test_a_call_with_the_token_is_answered_and_health_and_metrics_need_none() -> None:
    async with client("token") as http:
        assert (await http.get("/check", headers={"Authorization": "Bearer token"})).status_code == 200
        for path in ("/health/live", "/health/ready", "/metrics"):
            assert (await http.get(path)).status_code == 200


@pytest.mark.parametrize(("token", "status"), [("old", 200), ("new", 200), ("old,new", 401), ("", 401)])
async def test_while_a_token_is_changed_the_old_and_the_new_one_are_accepted(token: str, status: int) -> None:
    async with client(" new, old") as http:
        assert (await http.get("/check", headers={"Authorization": f"Bearer {token}"})).status_code == status


@pytest.mark.parametrize("header", ["Bearer None", "Bearer ", "Bearer token"])
async def test_a_service_without_a_token_refuses_every_call(header: str) -> None:
    async with client(None) as http:
        refused = await http.get("/check", headers={"Authorization": header})
    assert refused.status_code == 401
    assert "SPREADER_INTERNAL_TOKEN is not set" in refused.json()["detail"]


def test_the_client_shows_the_token() -> None:
    assert HttpServiceClient("pacer", "http://pacer", "token").headers == {"Authorization": "Bearer token"}
    assert HttpServiceClient("pacer", "http://pacer", "new, old").headers == {"Authorization": "Bearer new"}
    assert HttpServiceClient("pacer", "http://pacer", None).headers == {}
