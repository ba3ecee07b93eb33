"""Sends over the three gateways: answers and ledger lines, over a real socket."""

import base64
import hashlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from simulator.testing import CREDENTIALS, Reply, SimulatorClient, running_simulator
from spreader.contract.content import CONTENT, content_hash

CUSTOMER = "201001234567"
FILE = b"bytes of a file"
DIGEST = f"sha256:{hashlib.sha256(FILE).hexdigest()}"
LINK = "https://example.com/offer"


@pytest.fixture
async def gateways(tmp_path: Path) -> AsyncGenerator[SimulatorClient]:
    async with running_simulator(tmp_path, delivered_share=0) as caller:
        for driver in CREDENTIALS:
            await caller.register_account(driver)
        yield caller


def data(mimetype: str, filename: str | None = None) -> dict[str, Any]:
    file = {"mimetype": mimetype, "data": base64.b64encode(FILE).decode()}
    return file if filename is None else {**file, "filename": filename}


BASE64 = base64.b64encode(FILE).decode()
MEDIA = {"media_id": DIGEST}
SENDS: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    ("cloud_api", "", {"type": "text", "text": {"body": "Hi"}}, {"type": "text", "text": "Hi"}),
    ("cloud_api", "", {"type": "image", "image": {"link": LINK, "caption": "Look"}},
     {"type": "image", "media": {"url": LINK}, "caption": "Look"}),
    ("cloud_api", "", {"type": "audio", "audio": {"link": LINK, "voice": True}},
     {"type": "voice", "media": {"url": LINK}}),
    ("cloud_api", "", {"type": "document", "document": {"link": LINK, "filename": "a.pdf"}},
     {"type": "document", "media": {"url": LINK, "filename": "a.pdf"}}),
    ("cloud_api", "", {"type": "video", "video": {"link": LINK}}, {"type": "video", "media": {"url": LINK}}),
    ("cloud_api", "", {"type": "template", "template": {"name": "offer", "language": {"code": "en_US"}}},
     {"type": "template", "template": {"name": "offer", "language": "en_US"}}),
    ("waha", "sendText", {"text": "Hi"}, {"type": "text", "text": "Hi"}),
    ("waha", "sendImage", {"file": data("image/png", "a.png"), "caption": "Look"},
     {"type": "image", "media": MEDIA, "caption": "Look"}),
    ("waha", "sendVoice", {"file": data("audio/ogg; codecs=opus")}, {"type": "voice", "media": MEDIA}),
    ("waha", "sendVoice", {"file": data("audio/mpeg"), "convert": True}, {"type": "voice", "media": MEDIA}),
    ("waha", "sendFile", {"file": data("application/pdf", "a.pdf")},
     {"type": "document", "media": {**MEDIA, "filename": "a.pdf"}}),
    ("waha", "sendVideo", {"file": {"mimetype": "video/mp4", "url": LINK}}, {"type": "video", "media": {"url": LINK}}),
    ("evolution", "sendText", {"text": "Hi"}, {"type": "text", "text": "Hi"}),
    ("evolution", "sendMedia", {"mediatype": "image", "media": BASE64, "caption": "Look"},
     {"type": "image", "media": MEDIA, "caption": "Look"}),
    ("evolution", "sendMedia", {"mediatype": "document", "media": BASE64, "fileName": "a.pdf"},
     {"type": "document", "media": {**MEDIA, "filename": "a.pdf"}}),
    ("evolution", "sendMedia", {"mediatype": "video", "media": LINK}, {"type": "video", "media": {"url": LINK}}),
    ("evolution", "sendWhatsAppAudio", {"audio": BASE64, "encoding": True}, {"type": "voice", "media": MEDIA}),
]  # fmt: skip


@pytest.mark.parametrize(("driver", "method", "fields", "content"), SENDS)
async def test_every_kind_of_content_is_accepted_and_recorded(
    gateways: SimulatorClient, driver: str, method: str, fields: dict[str, Any], content: dict[str, Any]
) -> None:
    reply = await gateways.send_over(driver, CUSTOMER, method, **fields)
    assert reply.status == (200 if driver == "cloud_api" else 201), reply
    (line,) = await gateways.ledger()
    wanted = CONTENT.validate_python(content)
    assert (line["kind"], line["content_hash"]) == (wanted.type, content_hash(wanted))
    assert (line["driver"], line["recipient"], line["ok"], line["code"]) == (driver, CUSTOMER, True, None)
    assert (line["delivery_id"], line["quote"]) == (None, None)
    assert line["message_id"] == message_id(driver, reply)


def message_id(driver: str, reply: Reply) -> str:
    return str(reply.body["messages"][0]["id"] if driver == "cloud_api" else reply.body["key"]["id"])


async def test_the_cloud_api_answers_in_the_documented_form(gateways: SimulatorClient) -> None:
    reply = await gateways.send_over("cloud_api", f"+{CUSTOMER}", text={"body": "Hi"}, type="text")
    item = {"id": message_id("cloud_api", reply)}
    contact = {"input": f"+{CUSTOMER}", "wa_id": CUSTOMER}
    assert reply.body == {"messaging_product": "whatsapp", "contacts": [contact], "messages": [item]}
    assert item["id"].startswith("wamid.")


@pytest.mark.parametrize(
    ("engine", "bare_id"),
    [
        ("NOWEB", lambda body: body["key"]["id"]),
        ("WEBJS", lambda body: body["id"]["_serialized"].split("_")[2]),
        ("GOWS", lambda body: body["id"].split("_")[2]),
    ],
)
async def test_waha_answers_in_the_shape_of_its_engine(gateways: SimulatorClient, engine: str, bare_id: Any) -> None:
    await gateways.register_account("waha", engine=engine)
    reply = await gateways.send_over("waha", CUSTOMER, "sendText", text="Hi")
    (line,) = await gateways.ledger()
    assert (reply.status, bare_id(reply.body)) == (201, line["message_id"])


async def test_evolution_answers_with_the_message(gateways: SimulatorClient) -> None:
    reply = await gateways.send_over("evolution", CUSTOMER, "sendText", text="Hi")
    key = {"remoteJid": f"{CUSTOMER}@s.whatsapp.net", "fromMe": True, "id": message_id("evolution", reply)}
    assert (reply.body["key"], reply.body["status"]) == (key, "PENDING")
    assert reply.body["message"] == {"conversation": "Hi"}


@pytest.mark.parametrize(
    ("driver", "method", "fields"),
    [
        ("cloud_api", "", {"type": "text", "text": {"body": "Hi"}, "context": {"message_id": "ABC"}}),
        ("waha", "sendText", {"text": "Hi", "reply_to": "ABC"}),
        ("waha", "sendText", {"text": "Hi", "reply_to": "false_201001234567@c.us_ABC"}),
        ("evolution", "sendText", {"text": "Hi", "quoted": {"key": {"id": "ABC"}}}),
    ],
)
async def test_the_quoted_message_is_recorded(
    gateways: SimulatorClient, driver: str, method: str, fields: dict[str, Any]
) -> None:
    await gateways.send_over(driver, CUSTOMER, method, **fields)
    assert [line["quote"] for line in await gateways.ledger()] == ["ABC"]


async def test_the_cloud_api_carries_the_delivery_id(gateways: SimulatorClient) -> None:
    await gateways.send_over("cloud_api", CUSTOMER, type="text", text={"body": "Hi"}, biz_opaque_callback_data="dlv_1")
    assert [line["delivery_id"] for line in await gateways.ledger()] == ["dlv_1"]


CLOUD = {"messaging_product": "whatsapp", "recipient_type": "individual", "to": CUSTOMER, "type": "text"}
HI = {"body": "Hi"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({**CLOUD, "text": HI, "surprise": 1}, 100),
        ({**CLOUD, "text": {"body": "Hi", "preview": True}}, 100),
        ({**CLOUD, "text": {}}, 131008),
        (CLOUD, 131008),
        ({**CLOUD, "text": HI, "recipient_type": "nobody"}, 131009),
        ({name: CLOUD[name] for name in CLOUD if name != "recipient_type"} | {"text": HI}, 131008),
        ({**CLOUD, "text": HI, "to": "none"}, 131009),
        ({**CLOUD, "text": {"body": "x" * 4097}}, 131009),
        ({**CLOUD, "text": HI, "biz_opaque_callback_data": "x" * 513}, 131009),
        ({**CLOUD, "type": "song"}, 131051),
        ({**CLOUD, "type": "image", "image": {"id": "1", "link": LINK}}, 131009),
        ({**CLOUD, "type": "image", "image": {"id": "1"}}, 131053),
        ({**CLOUD, "type": "audio", "audio": {"link": LINK, "caption": "no"}}, 100),
        ({**CLOUD, "type": "template", "template": {"name": "offer"}}, 131008),
        ({**CLOUD, "type": "template", "template": {"name": "x", "language": {"code": "en"},
          "components": [{"type": "button", "parameters": []}]}}, 131009),
    ],
)  # fmt: skip
async def test_the_cloud_api_refuses_undocumented_bodies(gateways: SimulatorClient, body: Any, code: int) -> None:
    reply = await gateways.call_with_key("cloud_api", "POST", "/cloud/v23.0/100/messages", body)
    assert (reply.status, reply.body["error"]["code"]) == (400, code)
    assert await gateways.ledger() == []


@pytest.mark.parametrize(
    ("method", "fields", "complaint"),
    [
        ("sendText", {"text": "Hi", "surprise": 1}, "surprise"),
        ("sendText", {"text": ""}, "text"),
        ("sendText", {"text": "Hi", "chatId": f"{CUSTOMER}@s.whatsapp.net"}, "chatId"),
        ("sendText", {"text": "Hi", "chatId": CUSTOMER}, "chatId"),
        ("sendImage", {"file": {"mimetype": "image/png"}}, "file"),
        ("sendImage", {"file": data("video/mp4")}, "file.mimetype"),
        ("sendVoice", {"file": data("audio/mpeg")}, "file.mimetype"),
        ("sendImage", {"file": {"mimetype": "image/png", "data": "no base64!"}}, "file"),
        ("sendVoice", {"file": data("audio/ogg; codecs=opus"), "caption": "no"}, "caption"),
    ],
)
async def test_waha_refuses_a_wrong_body(gateways: SimulatorClient, method: str, fields: Any, complaint: str) -> None:
    reply = await gateways.send_over("waha", CUSTOMER, method, **fields)
    assert (reply.status, reply.body["statusCode"]) == (400, 400)
    assert any(complaint in each for each in reply.body["message"])
    assert await gateways.ledger() == []


@pytest.mark.parametrize(
    ("method", "fields", "complaint"),
    [
        ("sendText", {"text": "Hi", "surprise": 1}, "surprise"),
        ("sendText", {}, "text"),
        ("sendText", {"text": "Hi", "number": "none"}, "number"),
        ("sendMedia", {"mediatype": "image", "media": "no base64!"}, "Owned media must be a url or base64"),
        ("sendMedia", {"mediatype": "document", "media": BASE64}, "file name"),
        ("sendWhatsAppAudio", {"audio": "no base64!"}, "Owned media must be a url or base64"),
    ],
)
async def test_evolution_refuses_a_wrong_body_with_400(
    gateways: SimulatorClient, method: str, fields: Any, complaint: str
) -> None:
    reply = await gateways.send_over("evolution", CUSTOMER, method, **fields)
    assert (reply.status, reply.body["status"], reply.body["error"]) == (400, 400, "Bad Request")
    assert any(complaint in each for each in reply.body["response"]["message"])
    assert await gateways.ledger() == []
