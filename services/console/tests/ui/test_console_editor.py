"""Editor: it never overwrites what somebody else changed, says who changed what, and keeps what was typed."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from nicegui import Client, core, ui

from console.core import setting_texts
from console.data.api import CallSucceeded
from console.data.polling_cache import PollingCaches
from console.data.sessions import Sessions
from console.settings import ConsoleSettings
from console.ui.editor import SettingsEditor
from console.ui.live_page import LivePage
from console.ui.page_context import PageContext
from console.ui.uploads import UploadFields
from spreader.testing import ManualClock

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ADDRESS = "/packages/shop/profiles/sales"


@dataclass
class FakeIngress:
    """One profile with an ETag, and the history of its package."""

    document: dict[str, Any] = field(
        default_factory=lambda: {"name": "Sales", "phone": "201001234567", "limits": {"per_hour": 7}, "paused": False}
    )
    version: int = 1
    patches: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    history: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    @property
    def etag(self) -> str:
        return f'"{self.version}"'

    def change(self, who: str, pointer: str, before: Any, after: Any, **settings: Any) -> None:
        """What another operator does meanwhile."""
        self.version += 1
        self.document = {**self.document, **settings}
        difference = {"pointer": f"/profiles/sales{pointer}", "from": before, "to": after}
        entry = {"number": self.version, "at": NOON.isoformat(), "who": who, "differences": [difference]}
        self.history.insert(0, entry)

    async def get(self, request: web.Request) -> web.Response:
        return web.json_response(self.document, headers={"ETag": self.etag})

    async def patch(self, request: web.Request) -> web.Response:
        if request.headers.get("If-Match") != self.etag:
            return web.json_response({"code": "changed", "detail": "Somebody has changed it."}, status=412)
        self.patches.append(await request.json())
        self.version += 1
        return web.json_response({**self.document, "saved": True}, headers={"ETag": self.etag})

    async def changes(self, request: web.Request) -> web.Response:
        return web.json_response({"data": self.history})


@dataclass
class OpenForm:
    """A page with the editor, as an operator has it open."""

    client: Client
    editor: SettingsEditor
    saved: list[CallSucceeded]

    def type(self, pointer: str, text: str) -> None:
        self.element(f"field-{pointer[1:].replace('/', '-')}").set_value(text)

    def shown(self, pointer: str) -> str:
        return self.element(f"field-{pointer[1:].replace('/', '-')}").value

    async def save(self) -> None:
        with self.client:  # as when the button calls it
            await self.editor.save()

    def press(self, testid: str) -> None:
        element = self.element(testid)
        (listener,) = [each for each in element._event_listeners.values() if each.type == "click"]
        listener.handler({})

    def element(self, testid: str) -> Any:
        return next(each for each in self.client.elements.values() if each.props.get("data-testid") == testid)

    @property
    def texts(self) -> str:
        return " ".join(each.content for each in self.client.elements.values() if isinstance(each, ui.html))


@pytest.fixture
def ingress() -> FakeIngress:
    return FakeIngress()


@pytest.fixture
async def form(ingress: FakeIngress) -> AsyncGenerator[OpenForm]:
    app = web.Application()
    app.router.add_get(f"/api/v1{ADDRESS}", ingress.get)
    app.router.add_patch(f"/api/v1{ADDRESS}", ingress.patch)
    app.router.add_get("/api/v1/packages/shop/changes", ingress.changes)
    server = TestServer(app)
    await server.start_server()
    url, clock = str(server.make_url("")).rstrip("/"), ManualClock(NOON)
    caches = PollingCaches(ConsoleSettings(ingress_url=url, stats_url=url), clock)
    await caches.start()
    sessions = Sessions("a secret", timedelta(hours=1), clock)
    session = sessions.read(sessions.new_cookie("secret", "Mona"))
    assert session is not None
    context = PageContext(session, sessions, caches.get("secret", "Mona"), clock, clock, UploadFields())
    loaded = await context.api.get("ingress", ADDRESS)
    assert isinstance(loaded, CallSucceeded)
    core.loop = asyncio.get_running_loop()
    client = Client(ui.page("/form"), request=None)
    with client:
        saved = list[CallSucceeded]()
        editor = SettingsEditor(LivePage(context), ADDRESS, setting_texts.profile_groups(), loaded, saved.append)
        editor.build({})
    yield OpenForm(client, editor, saved)
    client.delete()
    await caches.stop()
    await server.close()


async def test_a_change_of_somebody_else_is_shown_and_nothing_typed_is_lost(
    form: OpenForm, ingress: FakeIngress
) -> None:
    form.type("/name", "Sales Cairo")
    form.type("/limits/per_hour", "9")
    form.type("/limits/per_day", "many")  # not valid yet
    ingress.change("Omar", "/limits/per_hour", 7, 5, limits={"per_hour": 5, "per_3_hours": 12})
    form.type("/limits/per_day", "90")
    await form.save()
    assert (ingress.patches, form.saved) == ([], [])
    assert "2 settings changed since you opened this page" in form.texts
    assert "Omar changed it from 7 to 5, 12:00:00. You typed 9." in form.texts
    form.type("/weight", "heavy")
    form.press("load-present")
    assert "changed since you opened" not in form.texts
    assert (form.shown("/name"), form.shown("/limits/per_hour"), form.shown("/limits/per_day")) == (
        "Sales Cairo", "9", "90",
    )  # fmt: skip
    assert (form.shown("/limits/per_3_hours"), form.shown("/weight")) == ("12", "heavy")
    form.type("/weight", "")
    await form.save()
    assert ingress.patches == [{"name": "Sales Cairo", "limits": {"per_hour": 9, "per_day": 90}}]
    assert form.saved[0].etag == ingress.etag


async def test_a_change_of_what_the_form_does_not_show_is_no_conflict(form: OpenForm, ingress: FakeIngress) -> None:
    form.type("/name", "Sales Cairo")
    ingress.change("Omar", "/paused", False, True, paused=True)
    await form.save()
    assert (ingress.patches, len(form.saved)) == ([{"name": "Sales Cairo"}], 1)


async def test_two_changes_one_after_the_other_are_both_shown(form: OpenForm, ingress: FakeIngress) -> None:
    form.type("/limits/per_hour", "9")
    for who, limit in (("Omar", 5), ("Zoë", 6)):
        ingress.change(who, "/limits/per_hour", 7, limit, limits={"per_hour": limit})
        await form.save()
        assert f"{who} changed it from {7 if limit == 5 else 5} to {limit}" in form.texts
        form.press("load-present")
    await form.save()
    assert ingress.patches == [{"limits": {"per_hour": 9}}]


async def test_an_own_limit_returns_to_the_package_or_is_taken_off_by_a_button(
    form: OpenForm, ingress: FakeIngress
) -> None:
    form.press("package-limits-per_hour")
    form.press("none-limits-new_contacts_per_day")
    assert (form.shown("/limits/per_hour"), form.shown("/limits/new_contacts_per_day")) == ("", "no limit")
    await form.save()
    assert ingress.patches == [{"limits": {"per_hour": "package", "new_contacts_per_day": None}}]
    ids = {each.props.get("data-testid") for each in form.client.elements.values()}
    assert ("none-limits-per_hour" in ids, "package-limits-new_contacts_per_day" in ids) == (False, True)
