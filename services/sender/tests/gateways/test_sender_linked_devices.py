"""Linked devices: the request of each kind of content to WAHA and to Evolution, as they document it."""

import base64
from dataclasses import replace
from typing import Any

import pytest

from sender.core.gateway_answer import SendAccepted, SendRefused
from sender.gateways.driver import Driver
from sender.gateways.waha import message_id
from sender.testing import PHONE
from sender.testing.contents import CONTENTS, TEMPLATE, send
from sender.testing.files import TYPES, MemoryMedia, media_file
from sender.testing.gateway_server import GatewayServer, Respond, profile_at
from spreader.contract import configuration


def b64(kind: str) -> str:
    return base64.b64encode(TYPES[kind].data).decode()


WAHA_TO = {"session": "default", "chatId": f"{PHONE}@c.us"}
WAHA_BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "text": ("/api/sendText", {"text": "Hello!", "linkPreview": False}),
    "image": ("/api/sendImage", {"file": {"mimetype": "image/png", "data": b64("image")}, "caption": "Look"}),
    "voice": (
        "/api/sendVoice",
        {"file": {"mimetype": "audio/ogg; codecs=opus", "data": b64("voice")}, "convert": False},
    ),
    "document": (
        "/api/sendFile",
        {"file": {"mimetype": "application/pdf", "data": b64("document"), "filename": "price.pdf"}, "caption": "Read"},
    ),
    "video": (
        "/api/sendVideo",
        {
            "file": {"mimetype": "video/mp4", "data": b64("video")},
            "asNote": False,
            "convert": False,
            "caption": "Watch",
        },
    ),
}


@pytest.mark.parametrize("kind", CONTENTS)
async def test_the_waha_request_of_each_kind(drivers: dict[str, Driver], server: GatewayServer, kind: str) -> None:
    assert await send(drivers, server, "waha", CONTENTS[kind], quote="false_1@c.us_AAA") == SendAccepted("3EB0AB12")
    (request,) = server.requests
    path, body = WAHA_BODIES[kind]
    assert (request.path, request.body) == (path, {**WAHA_TO, "reply_to": "false_1@c.us_AAA", **body})
    assert request.headers["X-Api-Key"] == "secret-waha-key"


@pytest.mark.parametrize("driver", ["waha", "evolution"])
async def test_a_document_gets_a_name_with_the_extension_of_its_type(
    drivers: dict[str, Driver], server: GatewayServer, files: MemoryMedia, driver: configuration.Driver
) -> None:
    files.files["document"] = media_file("application/pdf", b"a page")
    await send(drivers, server, driver, {"type": "document", "media": {"url": "https://e.com/1"}})
    named = {"url": "https://e.com/1", "filename": "Price list v2.0"}
    await send(drivers, server, driver, {"type": "document", "media": named})
    names = [body.get("fileName") or body["file"]["filename"] for body in (sent.body for sent in server.sends)]
    assert names == ["document.pdf", "Price list v2.0.pdf"]


@pytest.mark.parametrize(("driver", "megabytes_max"), [("waha", 37), ("evolution", 101)])
async def test_a_file_that_the_gateway_does_not_take_is_refused_before_it_is_sent(
    drivers: dict[str, Driver],
    server: GatewayServer,
    files: MemoryMedia,
    driver: configuration.Driver,
    megabytes_max: int,
) -> None:
    """The gateway would answer a body that is too large with an error that leaves the delivery in doubt."""
    large = replace(media_file("application/pdf", b"a page"), size_bytes=megabytes_max * 2**20)
    files.files["document"] = large
    assert await send(drivers, server, driver, CONTENTS["document"]) == SendAccepted("3EB0AB12")
    files.files["document"] = replace(large, size_bytes=(megabytes_max + 1) * 2**20)
    refused = await send(drivers, server, driver, CONTENTS["document"])
    assert isinstance(refused, SendRefused)
    assert (refused.failure, "its gateway takes at most" in refused.detail) == ("content", True)
    assert len(server.sends) == 1


async def test_waha_gets_the_full_id_of_a_quoted_message(drivers: dict[str, Driver], server: GatewayServer) -> None:
    await send(drivers, server, "waha", CONTENTS["text"], quote="AAA")
    assert server.sends[0].body["reply_to"] == f"false_{PHONE}@c.us_AAA"


async def test_a_voice_in_another_format_is_converted_by_waha(
    drivers: dict[str, Driver], server: GatewayServer, files: MemoryMedia
) -> None:
    files.files["voice"] = media_file("audio/mpeg", b"mp3")
    await send(drivers, server, "waha", CONTENTS["voice"])
    assert server.sends[0].body["file"]["mimetype"] == "audio/mpeg"
    assert server.sends[0].body["convert"] is True


EVOLUTION_BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "text": ("/message/sendText/shop%201", {"text": "Hello!", "linkPreview": False}),
    "image": (
        "/message/sendMedia/shop%201",
        {
            "mediatype": "image",
            "mimetype": "image/png",
            "media": b64("image"),
            "fileName": "image.jpg",
            "caption": "Look",
        },
    ),
    "voice": ("/message/sendWhatsAppAudio/shop%201", {"audio": b64("voice"), "encoding": True}),
    "document": (
        "/message/sendMedia/shop%201",
        {
            "mediatype": "document",
            "mimetype": "application/pdf",
            "media": b64("document"),
            "fileName": "price.pdf",
            "caption": "Read",
        },
    ),
    "video": (
        "/message/sendMedia/shop%201",
        {
            "mediatype": "video",
            "mimetype": "video/mp4",
            "media": b64("video"),
            "fileName": "video.mp4",
            "caption": "Watch",
        },
    ),
}


@pytest.mark.parametrize("kind", CONTENTS)
async def test_the_evolution_request_of_each_kind(drivers: dict[str, Driver], server: GatewayServer, kind: str) -> None:
    assert await send(drivers, server, "evolution", CONTENTS[kind], quote="AAA") == SendAccepted("3EB0AB12")
    (request,) = server.requests
    path, body = EVOLUTION_BODIES[kind]
    assert request.path == path
    assert request.body == {"number": PHONE, "quoted": {"key": {"id": "AAA"}}, **body}
    assert request.headers["apikey"] == "secret-evolution-key"


async def test_a_failed_number_check_of_evolution_says_why(drivers: dict[str, Driver], server: GatewayServer) -> None:
    boom = {"data": 429, "isBoom": True, "output": {"payload": {"message": "rate-overlimit"}}}
    server.will(Respond(400, boom))
    check = await drivers["evolution"].check_number(profile_at("evolution", server.base_url), PHONE)
    assert check.exists is None
    assert check.refused is not None
    assert check.refused.failure == "throttled"


@pytest.mark.parametrize("driver", ["waha", "evolution"])
async def test_a_linked_device_sends_no_templates_and_says_so(
    drivers: dict[str, Driver], server: GatewayServer, driver: configuration.Driver
) -> None:
    refused = await send(drivers, server, driver, TEMPLATE)
    assert isinstance(refused, SendRefused)
    assert (refused.failure, server.requests) == ("content", [])
    assert "Cloud API only" in refused.detail


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"id": "true_111@c.us_4CC5EDD"}, "4CC5EDD"),
        ({"id": "true_111-222@g.us_4CC5EDD_333@c.us"}, "4CC5EDD"),
        ({"id": {"fromMe": True, "id": "3EB0", "_serialized": "true_1@c.us_3EB0"}}, "3EB0"),
        ({"id": {"id": "3EB0"}}, "3EB0"),
        ({"key": {"id": "3EB0", "fromMe": True}, "status": 1}, "3EB0"),
        ({"id": "3EB0"}, "3EB0"),
        ({}, None),
        (None, None),
    ],
)
def test_the_message_id_is_read_from_the_answer_of_every_waha_engine(body: Any, expected: str | None) -> None:
    assert message_id(body) == expected
