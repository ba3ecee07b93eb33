"""Cloud API wire: what each kind of content says to Meta, against Meta's own description; and uploads."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from sender.core.gateway_answer import SendAccepted, SendRefused
from sender.gateways.driver import Driver
from sender.testing import PHONE, reply
from sender.testing.contents import CONTENTS, TEMPLATE, send
from sender.testing.files import TYPES
from sender.testing.gateway_server import SECRETS, WAMID, GatewayServer, HangUp, Respond

SCHEMAS: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "cloud-api-messages.json").read_text())


@pytest.mark.parametrize("kind", [*CONTENTS, "template"])
async def test_a_body_for_the_cloud_api_is_valid_by_metas_own_description(
    drivers: dict[str, Driver], wire: GatewayServer, kind: str
) -> None:
    content = TEMPLATE if kind == "template" else CONTENTS[kind]
    assert await send(drivers, wire, "cloud_api", content, quote="wamid.earlier") == SendAccepted(WAMID)
    asked = wire.sends[0]
    assert asked.path == "/106540352242922/messages"
    assert asked.headers["Authorization"] == f"Bearer {SECRETS['cloud_api']['access_token']}"
    jsonschema.validate(asked.body, SCHEMAS[asked.body["type"]], cls=jsonschema.Draft202012Validator)
    assert asked.body["to"] == PHONE
    assert asked.body["biz_opaque_callback_data"] == reply().delivery_id
    assert asked.body["context"] == {"message_id": "wamid.earlier"}


@pytest.mark.parametrize("missing", ["recipient_type", "to", "type", "messaging_product", "text"])
async def test_the_description_would_refuse_a_body_that_lacks_something(
    drivers: dict[str, Driver], wire: GatewayServer, missing: str
) -> None:
    await send(drivers, wire, "cloud_api", CONTENTS["text"])
    body = {key: value for key, value in wire.sends[0].body.items() if key != missing}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(body, SCHEMAS["text"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**wire.sends[0].body, "extra": 1}, SCHEMAS["text"])


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
async def test_what_each_kind_says_to_the_cloud_api(
    drivers: dict[str, Driver], wire: GatewayServer, kind: str, part: dict[str, Any]
) -> None:
    await send(drivers, wire, "cloud_api", CONTENTS[kind])
    body = wire.sends[0].body
    assert {key: body[key] for key in part} == part
    assert "context" not in body


async def test_a_file_for_the_cloud_api_is_uploaded_once_with_its_type(
    drivers: dict[str, Driver], wire: GatewayServer
) -> None:
    for _ in range(3):
        await send(drivers, wire, "cloud_api", CONTENTS["image"])
    (upload,) = [each for each in wire.requests if each.path == "/106540352242922/media"]
    assert upload.form == {"messaging_product": "whatsapp", "type": "image/png", "file": TYPES["image"].data}
    assert upload.headers["Authorization"] == f"Bearer {SECRETS['cloud_api']['access_token']}"
    assert len(wire.sends) == 3


async def test_a_file_that_meta_cannot_read_is_uploaded_anew_for_the_next_try(
    drivers: dict[str, Driver], wire: GatewayServer
) -> None:
    wire.will(Respond(200, {"id": "old"}), Respond(400, {"error": {"code": 131053, "message": "Media upload error"}}))
    refused = await send(drivers, wire, "cloud_api", CONTENTS["image"])
    assert isinstance(refused, SendRefused)
    assert refused.failure == "content"
    assert await send(drivers, wire, "cloud_api", CONTENTS["image"]) == SendAccepted(WAMID)
    assert [each.body["image"]["id"] for each in wire.sends] == ["old", "4490709327384033"]


async def test_an_upload_without_an_answer_leaves_no_doubt_for_nothing_was_sent(
    drivers: dict[str, Driver], wire: GatewayServer
) -> None:
    wire.will(HangUp())
    refused = await send(drivers, wire, "cloud_api", CONTENTS["image"])
    assert isinstance(refused, SendRefused)
    assert (refused.failure, wire.sends) == ("transient", [])


async def test_the_language_of_a_template_is_exact(drivers: dict[str, Driver], wire: GatewayServer) -> None:
    await send(drivers, wire, "cloud_api", TEMPLATE)
    assert wire.sends[0].body["template"] == {
        "name": "order_update",
        "language": {"code": "en_US", "policy": "deterministic"},
        "components": TEMPLATE["template"]["components"],
    }
