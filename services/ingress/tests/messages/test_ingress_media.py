"""Media over HTTP: files are uploaded or downloaded; one that cannot be sent is refused by field."""

import io
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from aiohttp import web
from PIL import Image
from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.testing import System, running
from spreader.contract.content import ImageContent
from spreader.contract.events import OpenMessageRequested, ReplyMessageRequested

PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"
OPEN, REPLY = "/packages/pkg/messages/open", "/packages/pkg/messages/reply"
CREDENTIALS = {"access_token": "EAAG", "app_secret": "shh", "verify_token": "v"}


def picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 64)).save(file, "PNG")
    return file.getvalue()


def bomb() -> bytes:
    """A small file that takes 192 MB when it is decoded as RGBA."""
    file = io.BytesIO()
    Image.new("1", (8_000, 6_000)).save(file, "PNG")
    return file.getvalue()


@dataclass
class Files:
    """A server of files on this machine, which the ingress was allowed to fetch from."""

    address: str
    fetched: list[str]


@pytest.fixture
async def files() -> AsyncGenerator[Files]:
    fetched: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        fetched.append(name := request.match_info["name"])
        if name == "inward.png":
            raise web.HTTPFound("http://169.254.169.254/latest")
        if name == "away.png":
            raise web.HTTPServiceUnavailable
        bodies = {"good.png": picture(), "torn.png": picture()[:60], "claims.png": PDF, "large.png": b"x" * 6_000_000}
        return web.Response(body=bomb() if name == "bomb.png" else bodies[name], content_type="image/png")

    app = web.Application()
    app.router.add_get("/{name}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield Files(f"127.0.0.1:{runner.addresses[0][1]}", fetched)
    finally:
        await runner.cleanup()


@pytest.fixture
async def shop(engine: AsyncEngine, files: Files) -> AsyncGenerator[System]:
    """A package whose profile is at Meta: its files are fetched before a message is accepted."""
    async with running(engine, datetime(2026, 6, 1, 12, tzinfo=UTC), media_hosts_allowed=files.address) as system:
        await system.package()
        gateway = {"driver": "cloud_api", "account": "1055", "credentials": CREDENTIALS}
        profile = {"profile_id": "a", "name": "A", "phone": "201000000001", "gateway": gateway}
        assert (await system.http.post("/packages/pkg/profiles", json=profile)).status_code == 201
        yield system


def message(media: dict[str, Any], kind: str = "image", **more: Any) -> dict[str, Any]:
    return {"type": kind, "media": media, "recipients": ["201000000011"], **more}


def field(answer: httpx.Response) -> tuple[int, str, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    (error,) = answer.json()["errors"]
    return answer.status_code, error["pointer"], error["detail"]


@pytest.mark.parametrize("as_form", [True, False], ids=["form", "body"])
async def test_an_uploaded_file_can_be_named_by_messages(system: System, as_form: bool) -> None:
    await system.package("a")
    if as_form:
        given = await system.http.post("/media", files={"file": ("offer.png", picture(), "application/lies")})
    else:
        given = await system.http.post("/media?filename=offer.png", content=picture())
    said = given.json()
    assert (given.status_code, said["type"], said["kinds"], said["filename"]) == (
        201, "image/png", ["image"], "offer.png",
    )  # fmt: skip
    assert (await system.http.get(f"/media/{said['media_id']}")).json() == said
    sent = await system.http.post(OPEN, json=message({"media_id": said["media_id"]}, caption="New"))
    assert sent.status_code == 202, sent.text
    (event,) = system.bus.of(OpenMessageRequested)
    assert isinstance(event.content, ImageContent)
    assert event.content.media.media_id == said["media_id"]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"GIF89a" + b"\0" * 60, "takes only"),
        (picture()[:60], "cannot be read"),
        (b"", "takes only"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 5_300_000, "at most 5242880"),
    ],
    ids=["wrong type", "unreadable", "empty", "too large"],
)
async def test_a_file_that_cannot_be_sent_is_refused(system: System, body: bytes, why: str) -> None:
    status, pointer, detail = field(await system.http.post("/media", files={"file": ("a.png", body)}))
    assert (status, pointer) == (422, "/file")
    assert why in detail


async def test_a_form_without_a_file_and_a_too_large_form_are_refused(system: System) -> None:
    assert field(await system.http.post("/media", files={"other": b"x"}))[:2] == (422, "/file")
    declared = {"Content-Length": str(300 * 1024 * 1024), "Content-Type": "image/png"}
    assert (await system.http.post("/media", content=b"x", headers=declared)).status_code == 413
    broken = {"Content-Type": "multipart/form-data; boundary=b"}
    assert (await system.http.post("/media", content=b"no form", headers=broken)).status_code in (400, 422)


async def test_an_unknown_file_and_one_of_another_kind_are_refused_by_field(system: System) -> None:
    await system.package("a")
    assert field(await system.http.post(OPEN, json=message({"media_id": "med_none"})))[:2] == (422, "/media/media_id")
    given = (await system.http.post("/media", content=PDF)).json()
    status, pointer, detail = field(await system.http.post(OPEN, json=message({"media_id": given["media_id"]})))
    assert (status, pointer) == (422, "/media/media_id")
    assert "as image only" in detail
    assert not system.bus.of(OpenMessageRequested)


@pytest.mark.parametrize("media_id", ["../med_0", "..", "/etc/passwd", "med_0.json", "med_0\0", "é", "a/b", "%2e%2e/a"])
async def test_an_id_that_no_file_can_have_is_unknown(system: System, media_id: str) -> None:
    """Red before: the media store raised an error for `../`, and the response was 500."""
    await system.package("a")
    body = {"type": "image", "media": {"media_id": media_id}, "recipient": "201000000011"}
    for answer in (
        await system.http.post(OPEN, json=message({"media_id": media_id})),
        await system.http.post(REPLY, json=body),
    ):
        assert field(answer)[:2] == (422, "/media/media_id")


async def test_an_image_with_too_many_pixels_is_refused_by_field(shop: System, files: Files) -> None:
    status, pointer, detail = field(await shop.http.post("/media", content=bomb()))
    assert (status, pointer) == (422, "/file")
    assert "at most 25,000,000" in detail
    sent = await shop.http.post(OPEN, json=message({"url": f"http://{files.address}/bomb.png"}))
    assert field(sent)[:2] == (422, "/media/url")


async def test_an_upload_is_refused_while_too_many_files_wait(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spreader.media.store.WAITING_MAX", -1)
    answer = await system.http.post("/media", content=picture())
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")


@pytest.mark.parametrize("name", ["schedule_at", "schedule_local"])
async def test_a_file_that_is_deleted_before_the_message_is_due_is_refused(system: System, name: str) -> None:
    await system.package("a")
    media = {"media_id": (await system.http.post("/media", content=picture())).json()["media_id"]}
    for days, status in ((88, 202), (92, 422)):
        due = system.clock() + timedelta(days=days)
        text = due.strftime("%Y-%m-%dT%H:%M:%S") + ("Z" if name == "schedule_at" else "")
        response = await system.http.post(OPEN, json={**message(media), "options": {name: text}})
        assert response.status_code == status, response.text
    assert field(response)[:2] == (422, f"/options/{name}")


async def test_a_url_is_downloaded_and_stored_before_the_message_is_accepted(shop: System, files: Files) -> None:
    url = f"http://{files.address}/good.png"
    sent = await shop.http.post(OPEN, json=message({"url": url, "filename": "mine.png"}))
    assert sent.status_code == 202, sent.text
    (event,) = shop.bus.of(OpenMessageRequested)
    assert isinstance(event.content, ImageContent)
    kept = event.content.media
    assert (kept.url, kept.filename) == (None, "mine.png")
    assert (await shop.http.get(f"/media/{kept.media_id}")).json()["type"] == "image/png"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("claims.png", "as image only"),
        ("torn.png", "cannot be read"),
        ("large.png", "over 5242880 bytes"),
        ("inward.png", "private"),
    ],
)
async def test_an_invalid_file_at_a_url_is_refused_and_nothing_is_sent(
    shop: System, files: Files, name: str, why: str
) -> None:
    media = {"url": f"http://{files.address}/{name}"}
    for path, more in ((OPEN, {}), (REPLY, {"recipient": "201000000011"})):
        body = message(media) if path == OPEN else {"type": "image", "media": media, **more}
        status, pointer, detail = field(await shop.http.post(path, json=body))
        assert (status, pointer) == (422, "/media/url")
        assert why in detail
    assert not shop.bus.of(OpenMessageRequested)
    assert not shop.bus.of(ReplyMessageRequested)


async def test_an_unreachable_url_is_left_to_the_sender(shop: System, files: Files) -> None:
    url = f"http://{files.address}/away.png"
    assert (await shop.http.post(OPEN, json=message({"url": url}))).status_code == 202
    (event,) = shop.bus.of(OpenMessageRequested)
    assert isinstance(event.content, ImageContent)
    assert event.content.media.url == url


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/a.png", "http://10.0.0.8/a.png", "http://[::1]/a.png"])
async def test_a_private_address_is_refused_for_every_gateway(system: System, url: str) -> None:
    await system.package("a")
    status, pointer, detail = field(await system.http.post(OPEN, json=message({"url": url})))
    assert (status, pointer) == (422, "/media/url")
    assert "private" in detail


async def test_a_file_for_simulators_only_is_not_downloaded(engine: AsyncEngine, files: Files) -> None:
    async with running(engine, datetime(2026, 6, 1, 12, tzinfo=UTC), media_hosts_allowed=files.address) as system:
        await system.package("a")
        sent = await system.http.post(OPEN, json=message({"url": f"http://{files.address}/good.png"}))
        assert sent.status_code == 202
        assert files.fetched == []


async def test_every_kind_of_content_is_accepted(system: System) -> None:
    await system.package("a")
    media, opus = {"url": "https://example.com/file"}, b"OggS" + b"\0" * 24 + b"OpusHead"
    voice = (await system.http.post("/media", content=opus)).json()["media_id"]
    contents: list[dict[str, Any]] = [
        {"type": "image", "media": media, "caption": "Today only"},
        {"type": "voice", "media": {"media_id": voice}},
        {"type": "document", "media": {**media, "filename": "offer.pdf"}},
        {"type": "video", "media": media},
        {"type": "template", "template": {"name": "order", "language": "en_US"}},
    ]
    for each in contents:
        answer = await system.http.post(
            OPEN, json={**each, "recipients": ["201000000011"]}, headers={"Prefer": "respond-async"}
        )
        assert (each, answer.status_code) == (each, 202)
    kept = [event.content for event in system.bus.of(OpenMessageRequested)]
    assert [each.model_dump(exclude_unset=True, exclude_none=True, mode="json") for each in kept] == contents
