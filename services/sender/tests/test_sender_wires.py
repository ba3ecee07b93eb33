"""Wire tests: what goes to each gateway for each kind of content, against the documented shapes."""

import base64
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from sender.client import Client
from sender.core.answer import Accepted, Answer, InDoubt, Refused
from sender.credentials import Keyring
from sender.drivers import Driver
from sender.drivers.cloud_api import CloudApiDriver
from sender.drivers.evolution import EvolutionDriver
from sender.drivers.waha import WahaDriver, bare_id
from sender.testing import PHONE, reply, try_once
from sender.testing.files import TYPES, File, Files, MemoryUploads
from sender.testing.wires import KEYS, SECRETS, WAMID, HangsUp, Says, Wire, reached_through, serve_wire
from sender.uploads import Uploads
from spreader import configuration
from spreader.content import CONTENT
from spreader.events import ReplyDeliveryAssigned
from spreader.fetching import MediaAway, MediaRefused

SCHEMAS: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "cloud-api-messages.json").read_text())
CONTENTS: dict[str, Any] = {
    "text": {"type": "text", "text": "Hello!"},
    "image": {"type": "image", "media": {"media_id": "med_1"}, "caption": "Look"},
    "voice": {"type": "voice", "media": {"media_id": "med_2"}},
    "document": {"type": "document", "media": {"media_id": "med_3", "filename": "price.pdf"}, "caption": "Read"},
    "video": {"type": "video", "media": {"media_id": "med_4"}, "caption": "Watch"},
}
TEMPLATE = {
    "type": "template",
    "template": {
        "name": "order_update",
        "language": "en_US",
        "components": [{"type": "body", "parameters": [{"type": "text", "text": "Ann"}]}],
    },
}
DRIVERS: list[configuration.Driver] = ["cloud_api", "waha", "evolution"]


def saying(content: Any, quote: str | None = None) -> ReplyDeliveryAssigned:
    return reply().model_copy(update={"content": CONTENT.validate_python(content), "quote": quote})


@pytest.fixture
async def wire() -> AsyncGenerator[Wire]:
    async with serve_wire(Wire()) as served:
        yield served


@pytest.fixture
def files() -> Files:
    return Files()


@pytest.fixture
def drivers(client: Client, files: Files) -> dict[str, Driver]:
    keyring = Keyring(KEYS)
    return {
        "cloud_api": CloudApiDriver(client, keyring, files, Uploads(MemoryUploads()), 30),
        "waha": WahaDriver(client, keyring, files, 30),
        "evolution": EvolutionDriver(client, keyring, files, 30),
    }


async def send(
    drivers: dict[str, Driver], wire: Wire, driver: configuration.Driver, content: Any, **more: Any
) -> Answer:
    return await try_once(drivers[driver], saying(content, **more), reached_through(driver, wire.base_url))


@pytest.mark.parametrize("kind", [*CONTENTS, "template"])
async def test_a_body_for_the_cloud_api_is_valid_by_metas_own_description(
    drivers: dict[str, Driver], wire: Wire, kind: str
) -> None:
    content = TEMPLATE if kind == "template" else CONTENTS[kind]
    assert await send(drivers, wire, "cloud_api", content, quote="wamid.earlier") == Accepted(WAMID)
    asked = wire.sends[0]
    assert asked.path == "/106540352242922/messages"
    assert asked.headers["Authorization"] == "Bearer EAA-secret-access-token"
    jsonschema.validate(asked.body, SCHEMAS[asked.body["type"]], cls=jsonschema.Draft202012Validator)
    assert asked.body["to"] == PHONE
    assert asked.body["biz_opaque_callback_data"] == reply().delivery_id
    assert asked.body["context"] == {"message_id": "wamid.earlier"}


@pytest.mark.parametrize("missing", ["recipient_type", "to", "type", "messaging_product", "text"])
async def test_the_description_would_refuse_a_body_that_lacks_something(
    drivers: dict[str, Driver], wire: Wire, missing: str
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
    drivers: dict[str, Driver], wire: Wire, kind: str, part: dict[str, Any]
) -> None:
    await send(drivers, wire, "cloud_api", CONTENTS[kind])
    body = wire.sends[0].body
    assert {key: body[key] for key in part} == part
    assert "context" not in body


async def test_a_file_for_the_cloud_api_is_uploaded_once_with_its_type(drivers: dict[str, Driver], wire: Wire) -> None:
    for _ in range(3):
        await send(drivers, wire, "cloud_api", CONTENTS["image"])
    (upload,) = [each for each in wire.asked if each.path == "/106540352242922/media"]
    assert upload.form == {"messaging_product": "whatsapp", "type": "image/png", "file": TYPES["image"].data}
    assert upload.headers["Authorization"] == "Bearer EAA-secret-access-token"
    assert len(wire.sends) == 3


async def test_a_file_that_meta_cannot_read_is_uploaded_anew_for_the_next_try(
    drivers: dict[str, Driver], wire: Wire
) -> None:
    wire.script = [Says(200, {"id": "old"}), Says(400, {"error": {"code": 131053, "message": "Media upload error"}})]
    refused = await send(drivers, wire, "cloud_api", CONTENTS["image"])
    assert isinstance(refused, Refused)
    assert refused.failure == "content"
    assert await send(drivers, wire, "cloud_api", CONTENTS["image"]) == Accepted(WAMID)
    assert [each.body["image"]["id"] for each in wire.sends] == ["old", "4490709327384033"]


async def test_an_upload_without_an_answer_leaves_no_doubt_for_nothing_was_sent(
    drivers: dict[str, Driver], wire: Wire
) -> None:
    wire.script = [HangsUp()]
    refused = await send(drivers, wire, "cloud_api", CONTENTS["image"])
    assert isinstance(refused, Refused)
    assert (refused.failure, wire.sends) == ("transient", [])


async def test_the_language_of_a_template_is_exact(drivers: dict[str, Driver], wire: Wire) -> None:
    await send(drivers, wire, "cloud_api", TEMPLATE)
    assert wire.sends[0].body["template"] == {
        "name": "order_update",
        "language": {"code": "en_US", "policy": "deterministic"},
        "components": TEMPLATE["template"]["components"],
    }


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
async def test_what_each_kind_says_to_waha(drivers: dict[str, Driver], wire: Wire, kind: str) -> None:
    assert await send(drivers, wire, "waha", CONTENTS[kind], quote="false_1@c.us_AAA") == Accepted("3EB0AB12")
    (asked,) = wire.asked
    path, body = WAHA_BODIES[kind]
    assert (asked.path, asked.body) == (path, {**WAHA_TO, "reply_to": "false_1@c.us_AAA", **body})
    assert asked.headers["X-Api-Key"] == "secret-waha-key"


async def test_a_voice_in_another_format_is_converted_by_waha(
    drivers: dict[str, Driver], wire: Wire, files: Files
) -> None:
    files.files["voice"] = File("audio/mpeg", b"mp3")
    await send(drivers, wire, "waha", CONTENTS["voice"])
    assert wire.sends[0].body["file"]["mimetype"] == "audio/mpeg"
    assert wire.sends[0].body["convert"] is True


EVOLUTION_BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "text": ("/message/sendText/shop%201", {"text": "Hello!", "linkPreview": False}),
    "image": (
        "/message/sendMedia/shop%201",
        {"mediatype": "image", "mimetype": "image/png", "media": b64("image"), "fileName": "image", "caption": "Look"},
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
        {"mediatype": "video", "mimetype": "video/mp4", "media": b64("video"), "fileName": "video", "caption": "Watch"},
    ),
}


@pytest.mark.parametrize("kind", CONTENTS)
async def test_what_each_kind_says_to_evolution(drivers: dict[str, Driver], wire: Wire, kind: str) -> None:
    assert await send(drivers, wire, "evolution", CONTENTS[kind], quote="AAA") == Accepted("3EB0AB12")
    (asked,) = wire.asked
    path, body = EVOLUTION_BODIES[kind]
    assert asked.path == path
    assert asked.body == {"number": PHONE, "quoted": {"key": {"id": "AAA"}, "message": {}}, **body}
    assert asked.headers["apikey"] == "secret-evolution-key"


@pytest.mark.parametrize("driver", ["waha", "evolution"])
async def test_a_linked_device_sends_no_templates_and_says_so(
    drivers: dict[str, Driver], wire: Wire, driver: configuration.Driver
) -> None:
    refused = await send(drivers, wire, driver, TEMPLATE)
    assert isinstance(refused, Refused)
    assert (refused.failure, wire.asked) == ("content", [])
    assert "Cloud API only" in refused.detail


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(
    ("trouble", "failure"), [(MediaRefused("a virus"), "content"), (MediaAway("not reachable"), "transient")]
)
async def test_a_file_that_cannot_be_had_is_not_sent(
    drivers: dict[str, Driver],
    wire: Wire,
    files: Files,
    driver: configuration.Driver,
    trouble: MediaAway | MediaRefused,
    failure: str,
) -> None:
    files.trouble = trouble
    assert await send(drivers, wire, driver, CONTENTS["image"]) == Refused(failure, str(trouble))  # pyright: ignore[reportArgumentType]
    assert wire.asked == []


@pytest.mark.parametrize("driver", DRIVERS)
async def test_a_connection_that_breaks_after_the_request_is_a_doubt_that_nobody_can_ask_about(
    drivers: dict[str, Driver], wire: Wire, driver: configuration.Driver
) -> None:
    wire.script = [HangsUp()]
    answer = await send(drivers, wire, driver, CONTENTS["text"])
    assert isinstance(answer, InDoubt)
    assert not answer.can_ask
    assert len(wire.sends) == 1


@pytest.mark.parametrize("driver", DRIVERS)
async def test_no_redirect_is_followed_for_it_would_take_the_key_along(
    drivers: dict[str, Driver], wire: Wire, driver: configuration.Driver
) -> None:
    wire.script = [Says(307, None, {"Location": f"{wire.base_url}/elsewhere"})]
    assert isinstance(await send(drivers, wire, driver, CONTENTS["text"]), InDoubt)
    assert len(wire.asked) == 1


@pytest.mark.parametrize("driver", DRIVERS)
async def test_nothing_that_is_kept_of_a_refusal_holds_a_secret_or_a_number(
    drivers: dict[str, Driver], wire: Wire, driver: configuration.Driver
) -> None:
    secrets = [*SECRETS[driver].values(), PHONE]
    said = f"Bearer {' '.join(secrets)} was not accepted"
    wire.script = [
        Says(400, {"error": {"code": 100, "message": said}, "message": said, "request": {"body": {"chatId": PHONE}}})
    ]
    answer = await send(drivers, wire, driver, CONTENTS["text"])
    kept = answer.detail if isinstance(answer, Refused) else str(answer)
    assert PHONE not in kept
    assert not isinstance(answer, Accepted)


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
def test_wahas_engines_name_a_message_in_their_own_ways(body: Any, expected: str | None) -> None:
    assert bare_id(body) == expected
