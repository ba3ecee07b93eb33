"""Linking over HTTP: an account is linked by an image or a code, expires, fails, and is logged out."""

from collections.abc import Callable
from typing import Any

import pytest
import structlog
from sqlalchemy import text

from ingress.testing import System
from spreader.http.service_client import QUERY_SECONDS, ServiceResponse

LINK, PROGRESS, LOGOUT = "/profiles/link", "/profiles/link/progress", "/profiles/logout"
QR, CODE = "iVBORw0KGgo=", "ABCD-EFGH"
PHONE = "201000000099"


def said(session: str | None, **more: Any) -> dict[str, Any]:
    return {
        "session": session, "detail": f"it is {session}", "refused": False, "qr_png": None, "code": None, **more,
    }  # fmt: skip


async def profile(system: System, driver: str = "waha") -> None:
    await system.package()
    system.sender.responses["/profiles/check"] = {
        "ok": False, "session": "unlinked", "quality": None, "detail": "scan", "code": None, "took_seconds": 0.1,
    }  # fmt: skip
    await system.gateway_profile(driver, "a")
    system.sender.queries.clear()


async def begun(system: System, method: str, answer: dict[str, Any]) -> Any:
    system.sender.responses[LINK] = answer
    response = await system.http.post("/profiles/a/link", json={"method": method})
    assert response.status_code == 202, response.text
    return response.json()


async def now(system: System, answer: dict[str, Any]) -> Any:
    system.sender.responses[PROGRESS] = answer
    response = await system.http.get("/profiles/a/link")
    assert (response.status_code, response.headers["cache-control"]) == (200, "no-store")
    return response.json()


@pytest.fixture
def columns(system: System) -> Callable[[], Any]:
    async def read() -> Any:
        async with system.engine.connect() as connection:
            rows = await connection.execute(text("SELECT * FROM ingress.link_attempt"))
            return [dict(row) for row in rows.mappings()]

    return read


@pytest.mark.parametrize("driver", ["waha", "evolution"])
async def test_an_account_is_linked_by_an_image(system: System, driver: str, columns: Callable[[], Any]) -> None:
    await profile(system, driver)
    shown = await begun(system, "qr", said("unlinked", qr_png=QR, code="ignored"))
    assert (shown["state"], shown["qr_png"], shown["code"], shown["profile_id"]) == ("waiting", QR, None, "a")
    assert shown["expires_at"] is not None
    (path, query), *_ = system.sender.queries
    assert (path, query["method"], query["phone"], query["driver"]) == (LINK, "qr", PHONE, driver)
    assert (query["account"], query["webhook_url"], query["sealed"] is not None) == ("a", None, True)
    assert (await now(system, said("unlinked", qr_png="bmV3")))["qr_png"] == "bmV3"
    assert system.sender.queries[-1][1]["method"] == "qr"
    linked = await now(system, said("working"))
    assert (linked["state"], linked["qr_png"], linked["expires_at"]) == ("linked", None, None)
    assert await columns() == []
    await now(system, said("working"))
    assert system.sender.queries[-1][1]["method"] is None


async def test_a_code_is_asked_for_once_and_stored_encrypted(system: System, columns: Callable[[], Any]) -> None:
    await profile(system)
    assert (await begun(system, "code", said("starting")))["code"] is None
    shown = await now(system, said("unlinked", code=CODE))
    assert (shown["state"], shown["code"], shown["qr_png"]) == ("waiting", CODE, None)
    assert system.sender.queries[-1][1]["has_code"] is False
    assert (await now(system, said("unlinked")))["code"] == CODE
    assert system.sender.queries[-1][1]["has_code"] is True
    (row,) = await columns()
    assert (row["sealed_code"] is not None, CODE in str(row)) == (True, False)
    assert (await now(system, said("unlinked", code="WXYZ-2345")))["code"] == "WXYZ-2345"  # Evolution renews it
    assert (await now(system, said("unlinked")))["code"] == "WXYZ-2345"


async def test_two_requests_at_once_ask_for_one_code(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    await profile(system)
    await begun(system, "code", said("starting"))
    system.sender.responses[PROGRESS] = said("unlinked", code=CODE)
    inner: list[Any] = []

    query = system.sender.query

    async def with_another(path: str, body: Any = None, seconds: float = QUERY_SECONDS) -> ServiceResponse:
        monkeypatch.undo()
        inner.append((await system.http.get("/profiles/a/link")).json())
        return await query(path, body, seconds)

    monkeypatch.setattr(system.sender, "query", with_another)
    outer = (await system.http.get("/profiles/a/link")).json()
    asked = [query["has_code"] for path, query in system.sender.queries if path == PROGRESS]
    assert (asked, outer["code"], len(inner)) == ([True, False], CODE, 1)  # the inner request first


async def test_after_a_sender_that_does_not_answer_the_next_request_asks_for_the_code(system: System) -> None:
    await profile(system)
    failed = await system.http.post("/profiles/a/link", json={"method": "code"})
    assert (failed.status_code, failed.json()["code"]) == (503, "unavailable")
    assert (await now(system, said("unlinked", code=CODE)))["code"] == CODE
    assert system.sender.queries[-1][1]["has_code"] is False


async def test_a_new_attempt_asks_for_a_new_code(system: System) -> None:
    await profile(system)
    await begun(system, "code", said("unlinked", code=CODE))
    assert (await begun(system, "code", said("starting")))["code"] is None
    assert (await now(system, said("unlinked", code="WXYZ-2345")))["code"] == "WXYZ-2345"


async def test_an_attempt_expires(system: System) -> None:
    await profile(system)
    await begun(system, "code", said("unlinked", code=CODE))
    async with system.engine.begin() as connection:
        await connection.execute(text("UPDATE ingress.link_attempt SET expires_at = now() - interval '1 second'"))
    shown = await now(system, said("unlinked", qr_png=QR, code=CODE))
    assert (shown["state"], shown["code"], shown["qr_png"]) == ("expired", None, None)
    assert system.sender.queries[-1][1]["method"] is None
    assert (await now(system, said("working")))["state"] == "linked"


async def test_a_refusal_ends_an_attempt(system: System) -> None:
    await profile(system)
    shown = await begun(system, "qr", said("failed", refused=True, detail="the gateway does not accept the key"))
    assert (shown["state"], shown["detail"]) == ("failed", "the gateway does not accept the key")
    assert (await now(system, said("failed", refused=True)))["state"] == "failed"


async def test_a_log_out_ends_an_attempt(system: System, columns: Callable[[], Any]) -> None:
    await profile(system)
    await begun(system, "qr", said("unlinked", qr_png=QR))
    system.sender.responses[LOGOUT] = said("unlinked")
    response = await system.http.post("/profiles/a/logout")
    assert (response.status_code, response.json()["state"], response.json()["qr_png"]) == (200, "expired", None)
    assert (await columns(), (await now(system, said("unlinked")))["state"]) == ([], "expired")
    system.sender.responses[LOGOUT] = said("failed", refused=True)
    assert (await system.http.post("/profiles/a/logout")).json()["state"] == "failed"


async def test_only_linked_devices_are_linked(system: System) -> None:
    await system.package("s")
    await system.gateway_profile("cloud_api", "c")
    for profile_id in ("s", "c"):
        for method, path in (("POST", "link"), ("GET", "link"), ("POST", "logout")):
            body: Any = {"json": {"method": "qr"}} if (method, path) == ("POST", "link") else {}
            response = await system.http.request(method, f"/profiles/{profile_id}/{path}", **body)
            assert (response.status_code, response.json()["code"]) == (409, "not-offered")
    assert (await system.http.get("/profiles/nobody/link")).status_code == 404
    assert (await system.http.post("/profiles/s/link", json={"method": "sms"})).status_code == 422


async def test_no_image_and_no_code_is_logged(system: System) -> None:
    await profile(system)
    with structlog.testing.capture_logs() as logs:
        await begun(system, "qr", said("unlinked", qr_png=QR))
        await begun(system, "code", said("unlinked", code=CODE))
        await now(system, said("unlinked"))
    assert not any(secret in str(logs) for secret in (QR, CODE))
