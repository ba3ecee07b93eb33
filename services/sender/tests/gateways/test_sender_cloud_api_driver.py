"""Cloud API driver: the body of each kind of content, validated by Meta's own description; and uploads."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from sender.core.file_names import VOICE
from sender.core.gateway_answer import SendAccepted, SendRefused
from sender.gateways.driver import Driver
from sender.testing import PHONE, reply
from sender.testing.contents import CONTENTS, TEMPLATE, send
from sender.testing.files import TYPES, MemoryMedia, media_file
from sender.testing.gateway_server import SECRETS, WAMID, GatewayServer, HangUp, Respond

SCHEMAS: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "cloud-api-messages.json").read_text())


@pytest.mark.parametrize("kind", [*CONTENTS, "template"])
async def test_a_body_for_the_cloud_api_is_valid_by_metas_own_description(
    drivers: dict[str, Driver], server: GatewayServer, kind: str
) -> None:
    content = TEMPLATE if kind == "template" else CONTENTS[kind]
    assert await send(drivers, server, "cloud_api", content, quote="wamid.earlier") == SendAccepted(WAMID)
    request = server.sends[0]
    assert request.path == "/106540352242922/messages"
    assert request.headers["Authorization"] == f"Bearer {SECRETS['cloud_api']['access_token']}"
    jsonschema.validate(request.body, SCHEMAS[request.body["type"]], cls=jsonschema.Draft202012Validator)
    assert request.body["to"] == PHONE
    assert request.body["biz_opaque_callback_data"] == reply().delivery_id
    assert request.body["context"] == {"message_id": "wamid.earlier"}


@pytest.mark.parametrize("missing", ["recipient_type", "to", "type", "messaging_product", "text"])
async def test_metas_description_rejects_an_incomplete_body(
    drivers: dict[str, Driver], server: GatewayServer, missing: str
) -> None:
    await send(drivers, server, "cloud_api", CONTENTS["text"])
    body = {key: value for key, value in server.sends[0].body.items() if key != missing}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(body, SCHEMAS["text"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**server.sends[0].body, "extra": 1}, SCHEMAS["text"])


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        ("text", {"type": "text", "text": {"body": "Hello!", "preview_url": False}}),
        ("image", {"type": "image", "image": {"id": "4490709327384033", "caption": "Look"}}),
        ("voice", {"type": "audio", "audio": {"id": "4490709327384033", "voice": True}}),
        (
            "document",
            {"type": "document", "document": {"id": "4490709327384033", "caption": "Read", "filename": "price.pdf"}},
        ),
        ("video", {"type": "video", "video": {"id": "4490709327384033", "caption": "Watch"}}),
    ],
)
async def test_the_cloud_api_body_of_each_kind(
    drivers: dict[str, Driver], server: GatewayServer, kind: str, part: dict[str, Any]
) -> None:
    await send(drivers, server, "cloud_api", CONTENTS[kind])
    body = server.sends[0].body
    assert {key: body[key] for key in part} == part
    assert "context" not in body


async def test_a_file_for_the_cloud_api_is_uploaded_once_with_its_type(
    drivers: dict[str, Driver], server: GatewayServer
) -> None:
    for _ in range(3):
        await send(drivers, server, "cloud_api", CONTENTS["image"])
    (upload,) = [each for each in server.requests if each.path == "/106540352242922/media"]
    assert upload.form == {"messaging_product": "whatsapp", "type": "image/png", "file": TYPES["image"].data}
    assert upload.headers["Authorization"] == f"Bearer {SECRETS['cloud_api']['access_token']}"
    assert len(server.sends) == 3


async def test_meta_gets_each_file_with_a_name_and_a_type_that_phones_can_open(
    drivers: dict[str, Driver], server: GatewayServer, files: MemoryMedia
) -> None:
    files.files["voice"] = media_file("audio/ogg", b"a voice", "note.opus")
    files.files["document"] = media_file("application/pdf", b"a page")
    await send(drivers, server, "cloud_api", CONTENTS["voice"])
    await send(drivers, server, "cloud_api", {"type": "document", "media": {"url": "https://e.com/1"}})
    voice, document = [each for each in server.requests if each.path == "/106540352242922/media"]
    assert (voice.form["type"], voice.files["file"]) == (VOICE, ("note.opus.ogg", VOICE))
    assert document.files["file"] == ("file.pdf", "application/pdf")
    assert server.sends[1].body["document"]["filename"] == "document.pdf"


async def test_a_file_that_meta_cannot_read_is_uploaded_again_for_the_next_try(
    drivers: dict[str, Driver], server: GatewayServer
) -> None:
    server.will(Respond(200, {"id": "old"}), Respond(400, {"error": {"code": 131053, "message": "Media upload error"}}))
    refused = await send(drivers, server, "cloud_api", CONTENTS["image"])
    assert isinstance(refused, SendRefused)
    assert refused.failure == "content"
    assert await send(drivers, server, "cloud_api", CONTENTS["image"]) == SendAccepted(WAMID)
    assert [each.body["image"]["id"] for each in server.sends] == ["old", "4490709327384033"]


async def test_an_upload_without_an_answer_leaves_no_doubt_since_it_sends_nothing(
    drivers: dict[str, Driver], server: GatewayServer
) -> None:
    server.will(HangUp())
    refused = await send(drivers, server, "cloud_api", CONTENTS["image"])
    assert isinstance(refused, SendRefused)
    assert (refused.failure, server.sends) == ("transient", [])


async def test_the_language_of_a_template_is_exact(drivers: dict[str, Driver], server: GatewayServer) -> None:
    await send(drivers, server, "cloud_api", TEMPLATE)
    assert server.sends[0].body["template"] == {
        "name": "order_update",
        "language": {"code": "en_US", "policy": "deterministic"},
        "components": TEMPLATE["template"]["components"],
    }
