"""Webhook set-up over HTTP: the gateway gets the address, and a call of it proves that it arrives."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.linking import webhook_endpoint
from ingress.testing import CREDENTIALS, System, running, signed
from spreader.http.service_client import QUERY_SECONDS, ServiceResponse

PUBLIC = "https://spreader.example.com"
SET = "/profiles/webhook"
STEPS = [{"name": "set", "ok": True, "detail": "taken"}]
STATUS: dict[str, Any] = {"event": "session.status", "session": "a", "payload": {"status": "STARTING"}}
CONNECTED: dict[str, Any] = {"event": "connection.update", "instance": "a", "data": {"state": "connecting"}}
RECEIPT: dict[str, Any] = {
    "event": "messages.update", "instance": "a", "data": {"keyId": "3EB0AA", "fromMe": True, "status": "READ"},
}  # fmt: skip


@pytest.fixture
async def public(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[System]:
    monkeypatch.setenv("SPREADER_PUBLIC_URL", f"{PUBLIC}/")
    async with running(engine, datetime(2026, 6, 1, 12, tzinfo=UTC)) as system:
        await system.package()
        yield system


@pytest.fixture(autouse=True)
def no_long_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_endpoint, "ARRIVAL_SECONDS", 0.25)
    monkeypatch.setattr(webhook_endpoint, "NO_CALL_SECONDS", 0.25)


def result(is_set: bool = True, call_due: bool = True, no_call: str = "") -> dict[str, Any]:
    return {"set": is_set, "steps": STEPS, "call_due": call_due, "no_call": no_call}


async def set_webhook(system: System, answer: dict[str, Any], body: dict[str, Any] | None = None) -> Any:
    system.sender.responses[SET] = answer
    more: Any = {} if body is None else {"json": body}
    response = await system.http.post("/profiles/a/webhook", **more)
    assert response.status_code == 200, response.text
    return response.json()


def during_query(system: System, happen: Callable[[], Awaitable[None]]) -> None:
    """Lets something happen during the next query of the sender."""
    query = system.sender.query

    async def with_event(path: str, body: Any = None, seconds: float = QUERY_SECONDS) -> ServiceResponse:
        object.__setattr__(system.sender, "query", query)
        await happen()
        return await query(path, body, seconds)

    object.__setattr__(system.sender, "query", with_event)


def gateway_calls(system: System, driver: str, event: dict[str, Any], secret: str | None = None) -> None:
    """The gateway calls the webhook while the sender sets it."""

    async def call() -> None:
        answer = await system.http.post(f"/webhooks/{driver}/pkg/a", **signed(driver, "a", event, secret))
        assert answer.status_code == (401 if secret else 200)

    during_query(system, call)


async def test_webhook_url_is_complete_with_a_public_url(public: System) -> None:
    url = f"{PUBLIC}/api/v1/webhooks/waha/pkg/a"
    assert (await public.gateway_profile("waha", "a"))["webhook_url"] == url
    assert (await public.http.get("/packages/pkg/profiles/a")).json()["webhook_url"] == url
    assert (await public.http.get("/packages/pkg/profiles")).json()["data"][0]["webhook_url"] == url


@pytest.mark.parametrize(("driver", "event"), [("waha", STATUS), ("evolution", CONNECTED), ("evolution", RECEIPT)])
async def test_a_call_after_the_setting_verifies_the_webhook(
    public: System, driver: str, event: dict[str, Any]
) -> None:
    await public.gateway_profile(driver, "a")
    gateway_calls(public, driver, event)
    shown = await set_webhook(public, result(), {"restart": True, "waba_id": "7"})
    assert (shown["set"], shown["received"]) == (True, True)
    assert shown["webhook_url"] == f"{PUBLIC}/api/v1/webhooks/{driver}/pkg/a"
    assert [(step["name"], step["ok"]) for step in shown["steps"]] == [("set", True), ("received", True)]
    _, query = public.sender.queries[-1]
    assert (query["webhook_url"], query["restart"], query["waba_id"]) == (shown["webhook_url"], True, "7")


async def test_metas_challenge_verifies_the_webhook(public: System) -> None:
    await public.gateway_profile("cloud_api", "a")

    async def challenge() -> None:
        token = CREDENTIALS["cloud_api"]("a")["verify_token"]
        params = {"hub.mode": "subscribe", "hub.verify_token": token, "hub.challenge": "7"}
        assert (await public.http.get("/webhooks/cloud_api/pkg/a", params=params)).status_code == 200

    during_query(public, challenge)
    assert (await set_webhook(public, result()))["received"] is True


async def test_a_call_with_another_secret_verifies_nothing(public: System) -> None:
    await public.gateway_profile("evolution", "a")
    gateway_calls(public, "evolution", CONNECTED, secret="another")
    shown = await set_webhook(public, result())
    assert (shown["set"], shown["received"]) == (True, False)
    assert shown["steps"][-1]["detail"].startswith("no call with the profile's secret has arrived")


async def test_an_earlier_call_and_a_call_for_another_profile_verify_nothing(public: System) -> None:
    for profile_id in ("a", "b"):
        await public.gateway_profile("evolution", profile_id)
    await public.http.post("/webhooks/evolution/pkg/a", **signed("evolution", "a", CONNECTED))

    async def call_b() -> None:
        event = {**CONNECTED, "instance": "b"}
        answer = await public.http.post("/webhooks/evolution/pkg/b", **signed("evolution", "b", event))
        assert answer.status_code == 200

    during_query(public, call_b)
    assert (await set_webhook(public, result()))["received"] is False


async def test_a_gateway_that_cannot_be_asked_for_a_call_says_so(public: System) -> None:
    await public.gateway_profile("evolution", "a")
    shown = await set_webhook(public, result(call_due=False, no_call="Evolution API has no test call"))
    assert (shown["set"], shown["received"]) == (True, False)
    assert shown["steps"][-1] == {"name": "received", "ok": False, "detail": "Evolution API has no test call"}


async def test_a_webhook_that_is_not_set_is_not_waited_for(public: System) -> None:
    await public.gateway_profile("waha", "a")
    shown = await set_webhook(public, {**result(is_set=False), "steps": [{**STEPS[0], "ok": False}]})
    assert (shown["set"], shown["received"], [step["name"] for step in shown["steps"]]) == (False, False, ["set"])


async def test_without_a_public_url_the_step_says_what_to_set(system: System) -> None:
    await system.package()
    await system.gateway_profile("waha", "a")
    system.sender.queries.clear()
    shown = await set_webhook(system, result())
    assert (shown["set"], shown["received"], shown["webhook_url"]) == (False, False, None)
    assert "SPREADER_PUBLIC_URL" in shown["steps"][0]["detail"]
    assert system.sender.queries == []


async def test_the_simulators_own_profiles_have_no_webhook_to_set(public: System) -> None:
    await public.package("s", package_id="other")
    response = await public.http.post("/profiles/s/webhook")
    assert (response.status_code, response.json()["code"]) == (409, "not-offered")


async def test_a_sender_that_does_not_answer(public: System) -> None:
    await public.gateway_profile("waha", "a")
    assert (await public.http.post("/profiles/a/webhook")).status_code == 503
    wrong = await public.http.post("/profiles/a/webhook", json={"restart": "yes"})
    assert wrong.status_code == 422
