"""Gateways: requests to each kind of gateway and the receipts from it, end to end through the public API."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import jsonschema
import pytest
from e2e.gateways import DRIVERS, create_gateway_package, credentials_of, only_delivery, send_open_message, send_reply
from e2e.system import KEY, RunningSystem, eventually, recipients
from e2e.wiretap import RecordedRequest, Wiretap, wiretap
from PIL import Image

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

META = Path(__file__).parents[2] / "services" / "sender" / "tests" / "gateways" / "data" / "cloud-api-messages.json"
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"
OPUS = b"OggS\x00\x02" + b"\x00" * 22 + b"OpusHead\x01\x01" + b"\x00" * 60
MP4 = b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41" + b"\x00" * 100
TEMPLATE = {"name": "order_update", "language": "en_US", "components": []}
FILE_KEYS = {"mimetype", "data", "filename"}
NUMBER = "number"

WAHA: Mapping[str, tuple[str, set[str]]] = {
    "text": ("/api/sendText", {"session", "chatId", "text", "linkPreview"}),
    "image": ("/api/sendImage", {"session", "chatId", "file", "caption"}),
    "voice": ("/api/sendVoice", {"session", "chatId", "file", "convert"}),
    "document": ("/api/sendFile", {"session", "chatId", "file", "caption"}),
    "video": ("/api/sendVideo", {"session", "chatId", "file", "caption", "asNote", "convert"}),
}
EVOLUTION: Mapping[str, tuple[str, set[str]]] = {
    "text": ("/message/sendText/", {NUMBER, "text", "linkPreview"}),
    "image": ("/message/sendMedia/", {NUMBER, "mediatype", "mimetype", "media", "caption", "fileName"}),
    "voice": ("/message/sendWhatsAppAudio/", {NUMBER, "audio", "encoding"}),
    "document": ("/message/sendMedia/", {NUMBER, "mediatype", "mimetype", "media", "caption", "fileName"}),
    "video": ("/message/sendMedia/", {NUMBER, "mediatype", "mimetype", "media", "caption", "fileName"}),
}
"""The path for each kind of content, and the fields of its documentation that we may use."""


def _picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (32, 32)).save(file, "PNG")
    return file.getvalue()


async def _upload(system: RunningSystem, data: bytes, filename: str) -> str:
    form = aiohttp.FormData()
    form.add_field("file", data, filename=filename)
    address = f"http://127.0.0.1:{system.ports['ingress']}/api/v1/media"
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as session,
        session.post(address, data=form) as answer,
    ):
        assert answer.status == 201, await answer.text()
        return (await answer.json())["media_id"]


async def _contents(system: RunningSystem, driver: str) -> dict[str, dict[str, Any]]:
    image, voice = await _upload(system, _picture(), "offer.png"), await _upload(system, OPUS, "note.ogg")
    pdf, video = await _upload(system, PDF, "offer.pdf"), await _upload(system, MP4, "offer.mp4")
    contents: dict[str, dict[str, Any]] = {
        "text": {"type": "text", "text": "Hello, grüße, مرحبا"},
        "image": {"type": "image", "media": {"media_id": image}, "caption": "Today only"},
        "voice": {"type": "voice", "media": {"media_id": voice}},
        "document": {"type": "document", "media": {"media_id": pdf, "filename": "price list.pdf"}, "caption": "Prices"},
        "video": {"type": "video", "media": {"media_id": video}, "caption": "See"},
    }
    return contents | ({"template": {"type": "template", "template": TEMPLATE}} if driver == "cloud_api" else {})


@pytest.mark.parametrize("driver", DRIVERS)
async def test_requests_for_each_kind_of_content_follow_the_gateways_documentation(
    live: RunningSystem, driver: str
) -> None:
    package = f"wire_{driver}"
    async with wiretap(f"http://127.0.0.1:{live.ports['simulator']}") as tap:
        (profile,) = await create_gateway_package(live, package, driver, 1, tap.address)
        contents = await _contents(live, driver)
        people = recipients(2 * len(contents), start=410_000 + 100 * DRIVERS.index(driver))
        opened = dict(zip(contents, people, strict=False))
        answered = dict(zip(contents, people[len(contents) :], strict=True))
        messages = [await send_open_message(live, package, contents[kind], person) for kind, person in opened.items()]
        for kind, person in answered.items():
            answer = await send_reply(live, package, contents[kind], person, quote="wamid.of.theirs")
            assert answer.status == 200, (kind, answer.body)
            messages.append(answer.body["message_id"])

        async def arrived() -> dict[tuple[str, str], bool]:
            return {(line["recipient"], line["kind"]): line["ok"] for line in await live.ledger()}

        expected = {(person, kind): True for each in (opened, answered) for kind, person in each.items()}
        await eventually(arrived, 60, lambda seen: expected.items() <= seen.items())
        await _wait_for_receipts(live, messages)
    for kind in contents:
        for person, quotes in ((opened[kind], False), (answered[kind], True)):
            _check_request(driver, kind, _sent_to(tap, person), profile, quotes)
    if driver == "cloud_api":
        uploads = [each for each in tap.requests if each.path.endswith("/media")]
        assert len(uploads) == 4, "each file is uploaded to Meta once, and then used by its id"


async def _wait_for_receipts(system: RunningSystem, messages: list[str]) -> None:
    """Wait until the gateway's webhooks have reported every message as delivered."""

    async def undelivered() -> list[Any]:
        shown = [await only_delivery(system, message) for message in messages]
        return [each for each in shown if each is None or each["status"] not in ("delivered", "read")]

    await eventually(undelivered, 60, lambda left: not left)


def _sent_to(tap: Wiretap, person: str) -> RecordedRequest:
    found = [
        each for each in tap.requests if each.method == "POST" and f'"{person}' in each.raw.decode(errors="replace")
    ]
    sends = [each for each in found if "check" not in each.path.lower() and "Numbers" not in each.path]
    assert len(sends) == 1, [each.path for each in found]
    return sends[0]


def _check_request(driver: str, kind: str, request: RecordedRequest, profile: str, quotes: bool) -> None:
    headers = {name.lower(): value for name, value in request.headers.items()}
    secret = credentials_of(driver, profile)
    if driver == "cloud_api":
        schemas = json.loads(META.read_text())
        jsonschema.validate(request.body, schemas[request.body["type"]])
        assert headers["authorization"] == f"Bearer {secret['access_token']}"
        assert request.body["type"] == ("audio" if kind == "voice" else kind)
        assert request.body["biz_opaque_callback_data"].startswith("dlv_")
        assert ("context" in request.body) == quotes
        return
    kinds, quote = (WAHA, "reply_to") if driver == "waha" else (EVOLUTION, "quoted")
    path, fields = kinds[kind]
    assert path in request.path
    assert headers["x-api-key" if driver == "waha" else "apikey"] == secret["api_key"]
    assert set(request.body) - {quote} <= fields, set(request.body) - fields
    assert (quote in request.body) == quotes
    if driver == "waha" and "file" in request.body:
        assert set(request.body["file"]) <= FILE_KEYS
