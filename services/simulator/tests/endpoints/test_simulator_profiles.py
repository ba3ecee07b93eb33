"""The simulator's own protocol and the ledger, over a real socket."""

import asyncio
import resource
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from simulator.accounts import AccountRegistry, GatewayAccount
from simulator.testing import SimulatorClient, running_simulator, started_simulator
from spreader.clock import wall_now
from spreader.contract.content import TextContent, content_hash

YEAR_2030 = datetime(2030, 1, 1, tzinfo=UTC)


async def test_a_send_is_accepted_and_recorded(simulator: SimulatorClient) -> None:
    reply = await simulator.send("dlv_1", "201001234567", type="text", text="Hello!")
    (line,) = await simulator.ledger()
    assert (reply.status, reply.body) == (201, {"message_id": line["message_id"], "status": "accepted"})
    at, wall = (datetime.fromisoformat(line.pop(name)) for name in ("at", "wall"))
    assert YEAR_2030 < at < YEAR_2030 + timedelta(days=30)
    assert abs(wall - wall_now()) < timedelta(days=1)
    assert line.pop("message_id").startswith("wamid_")
    assert line == {
        "profile": "prf_1",
        "package": "pkg_1",
        "account": "acc_1",
        "recipient": "201001234567",
        "kind": "text",
        "content_hash": content_hash(TextContent(type="text", text="Hello!")),
        "delivery_id": "dlv_1",
        "ok": True,
        "code": None,
        "driver": "simulator",
        "quote": None,
    }


@pytest.mark.parametrize(
    "content",
    [
        {"type": "text", "text": "Hello!"},
        {"type": "image", "media": {"url": "https://example.com/a.png"}, "caption": "Look"},
        {"type": "voice", "media": {"media_id": "med_1"}},
        {"type": "document", "media": {"url": "https://example.com/a.pdf", "filename": "a.pdf"}},
        {"type": "video", "media": {"url": "https://example.com/a.mp4"}},
        {"type": "template", "template": {"name": "offer", "language": "en_US", "components": [{"type": "body"}]}},
    ],
)
async def test_every_kind_of_content_is_taken(simulator: SimulatorClient, content: dict[str, Any]) -> None:
    assert (await simulator.send(**content)).status == 201
    assert [line["kind"] for line in await simulator.ledger()] == [content["type"]]


@pytest.mark.parametrize(
    ("change", "code", "pointers"),
    [
        ({"type": "song"}, "content_refused", ["/type"]),
        ({"type": None}, "content_refused", ["/type"]),
        ({"text": ""}, "content_refused", ["/text"]),
        ({"text": "x" * 4097}, "content_refused", ["/text"]),
        ({"caption": "no"}, "content_refused", ["/caption"]),
        ({"type": "image"}, "content_refused", ["/media", "/text"]),
        ({"to": "20x"}, "invalid", ["/to"]),
        ({"to": None, "delivery_id": "a b"}, "invalid", ["/delivery_id", "/to"]),
    ],
)
async def test_a_wrong_send_is_refused_by_field_and_leaves_no_line(
    simulator: SimulatorClient, change: dict[str, Any], code: str, pointers: list[str]
) -> None:
    body = {"delivery_id": "dlv_1", "to": "201001234567", "type": "text", "text": "Hello!"} | change
    reply = await simulator.request("POST", "/profiles/acc_1/messages", body)
    assert (reply.status, reply.body["error"]["code"]) == (400, code)
    assert [error["pointer"] for error in reply.body["error"]["errors"]] == pointers
    assert await simulator.ledger() == []


async def test_broken_json_is_refused(simulator: SimulatorClient) -> None:
    reply = await simulator.request("POST", "/profiles/acc_1/messages", b'{"delivery_id":')
    assert (reply.status, reply.body["error"]["code"]) == (400, "invalid")


async def test_a_delivery_that_is_sent_twice_has_two_lines_and_is_found_as_the_first(
    simulator: SimulatorClient,
) -> None:
    replies = [await simulator.send("dlv_1") for _ in range(2)]
    lines = await simulator.ledger()
    assert [line["message_id"] for line in lines] == [reply.body["message_id"] for reply in replies]
    found = await simulator.request("GET", "/profiles/acc_1/messages/dlv_1")
    assert found.body == {"message_id": lines[0]["message_id"], "at": lines[0]["at"]}


async def test_what_was_never_sent_is_not_found(simulator: SimulatorClient) -> None:
    await simulator.fault(kind="fail")
    await simulator.send("dlv_1")
    assert (await simulator.request("GET", "/profiles/acc_1/messages/dlv_1")).status == 404
    assert (await simulator.request("GET", "/profiles/acc_2/messages/dlv_1")).status == 404


async def test_the_ledger_can_be_read_from_a_line_on(simulator: SimulatorClient) -> None:
    for number in range(5):
        await simulator.send(f"dlv_{number}")
    whole = await simulator.ledger()
    assert [line["delivery_id"] for line in whole] == [f"dlv_{number}" for number in range(5)]
    assert [await simulator.ledger(after) for after in (3, 5, 9)] == [whole[3:], [], []]


@pytest.mark.parametrize("name", ["prf_1", "acc_1"])
async def test_a_request_waits_for_the_registration_of_its_profile(tmp_path: Path, name: str) -> None:
    accounts = AccountRegistry(tmp_path, wait_seconds=20)
    accounts.open()
    account = GatewayAccount("acc_1", "prf_1", "pkg_1", "http://127.0.0.1:1/away")

    async def register() -> None:
        accounts.register(account)

    found, _ = await asyncio.gather(accounts.wait_for(name), register())
    assert found == account
    accounts.close()


async def test_an_unknown_account_is_waited_for(tmp_path: Path) -> None:
    async with running_simulator(tmp_path, delivered_share=0) as simulator:
        send = asyncio.create_task(simulator.send())
        await simulator.register()
        assert (await send).status == 201


async def test_a_waiting_send_whose_caller_left_does_not_go_out(tmp_path: Path) -> None:
    async with running_simulator(tmp_path, delivered_share=0) as simulator:
        body = b'{"delivery_id":"dlv_1","to":"201001234567","type":"text","text":"Hello!"}'
        _, writer = await asyncio.open_connection(simulator.address.hostname, simulator.address.port)
        writer.write(
            b"POST /profiles/acc_1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )
        writer.close()
        await writer.wait_closed()
        await simulator.request("GET", "/profiles")
        await simulator.register()
        await simulator.send("dlv_2")
        assert [line["delivery_id"] for line in await simulator.ledger()] == ["dlv_2"]


async def test_an_account_that_nobody_registers_is_refused(tmp_path: Path) -> None:
    async with running_simulator(tmp_path, registration_wait_seconds=0.01) as simulator:
        send = await simulator.send()
        writes = await simulator.request("POST", "/customers/201001234567/messages", {"profile": "prf_1", "text": "Hi"})
        assert (send.status, send.body["error"]["code"]) == (503, "profile_unknown")
        assert (writes.status, writes.body["error"]["code"]) == (404, "profile_unknown")
        assert await simulator.ledger() == []


@pytest.mark.parametrize(
    ("method", "path", "body", "pointer"),
    [
        ("GET", "/ledger?after=-1", None, "/after"),
        ("PUT", "/profiles/acc_1", {"profile_id": "p", "package_id": "k", "webhook_url": "ftp://x"}, "/webhook_url"),
        ("POST", "/customers/12/messages", {"profile": "prf_1", "text": "Hi"}, "/phone"),
        ("POST", "/customers/201001234567/messages", {"profile": "prf_1", "text": " "}, "/text"),
    ],
)
async def test_other_wrong_requests_name_the_field(
    simulator: SimulatorClient, method: str, path: str, body: Any, pointer: str
) -> None:
    reply = await simulator.request(method, path, body)
    assert reply.status == 422
    assert [error["pointer"] for error in reply.body["error"]["errors"]] == [pointer]


async def test_concurrent_sends_have_one_line_each(simulator: SimulatorClient) -> None:
    replies = await asyncio.gather(*(simulator.send(f"dlv_{number}") for number in range(300)))
    assert {reply.status for reply in replies} == {201}
    assert {line["delivery_id"] for line in await simulator.ledger()} == {f"dlv_{number}" for number in range(300)}


async def test_a_simulator_whose_folder_is_in_use_is_not_ready(simulator: SimulatorClient, tmp_path: Path) -> None:
    async with started_simulator(tmp_path) as second:
        await second.wait_until(
            "/health/ready", lambda found: "another simulator is using it" in found["reasons"]["home"]
        )
        refused = await second.send()
    assert (refused.status, refused.body["error"]["code"]) == (503, "not_ready")
    assert await simulator.ledger() == []


async def test_a_send_that_cannot_be_recorded_is_not_accepted(simulator: SimulatorClient, tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        refused = await simulator.send("dlv_1")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (refused.status, refused.body["error"]["code"]) == (507, "not_kept")
    assert (tmp_path / "ledger.jsonl").read_bytes() == b""
    assert (await simulator.send("dlv_2")).status == 201


async def test_the_api_describes_itself(simulator: SimulatorClient) -> None:
    paths = (await simulator.request("GET", "/openapi.json")).body["paths"]
    assert {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods} == {
        "PUT /profiles/{account}",
        "GET /profiles",
        "POST /profiles/{account}/messages",
        "GET /profiles/{account}/messages/{delivery_id}",
        "POST /customers/{phone}/messages",
        "GET /accounts",
        "PUT /accounts/{driver}/{account}",
        "GET /accounts/{driver}/{account}",
        "DELETE /accounts/{driver}/{account}",
        "POST /accounts/{driver}/{account}/reports",
        "POST /accounts/cloud_api/{account}/verification",
        "GET /ledger",
        "GET /faults",
        "POST /faults",
        "DELETE /faults",
        "DELETE /faults/{fault_id}",
        "GET /concurrency",
        "DELETE /concurrency",
    }
    send = paths["/profiles/{account}/messages"]["post"]["requestBody"]["content"]["application/json"]
    assert set(send["schema"]["required"]) == {"delivery_id", "to"}
