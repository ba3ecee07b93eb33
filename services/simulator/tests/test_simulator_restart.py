"""What the simulator still knows after its process ended."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import aiohttp
import pytest

from local.ports import free_port
from simulator.gateway import EXIT_CODE_OF_DIE
from simulator.testing import Caller, calling, serving, webhook


async def test_the_ledger_and_what_was_sent_are_known_after_a_restart(tmp_path: Path) -> None:
    async with serving(tmp_path) as simulator:
        await simulator.register()
        await simulator.fault(kind="fail", recipient="201009999999")
        await simulator.send("dlv_1")
        await simulator.send("dlv_2", "201009999999")
        before = await simulator.ledger()
    async with serving(tmp_path) as simulator:
        assert await simulator.ledger() == before
        found = await simulator.ask("GET", "/profiles/acc_1/messages/dlv_1")
        assert found.body == {"message_id": before[0]["message_id"], "at": before[0]["at"]}
        assert (await simulator.ask("GET", "/profiles/acc_1/messages/dlv_2")).status == 404


async def test_a_torn_last_line_is_dropped_and_the_ledger_goes_on(tmp_path: Path) -> None:
    async with serving(tmp_path) as simulator:
        await simulator.register()
        await simulator.send("dlv_1")
        await simulator.send("dlv_2")
    file = tmp_path / "ledger.jsonl"
    file.write_bytes(file.read_bytes()[:-9])
    async with serving(tmp_path) as simulator:
        await simulator.send("dlv_3")
        assert [line["delivery_id"] for line in await simulator.ledger()] == ["dlv_1", "dlv_3"]
        assert (await simulator.ask("GET", "/profiles/acc_1/messages/dlv_2")).status == 404


async def test_registrations_are_kept_and_the_last_one_holds(tmp_path: Path) -> None:
    async with serving(tmp_path) as simulator:
        await simulator.register("http://127.0.0.1:1/old")
        await simulator.register("http://127.0.0.1:1/other", account="acc_2")
        await simulator.register("http://127.0.0.1:1/new")
    async with serving(tmp_path) as simulator:
        accounts = (await simulator.ask("GET", "/profiles")).body["data"]
        assert [(each["account"], each["webhook_url"]) for each in accounts] == [
            ("acc_1", "http://127.0.0.1:1/new"),
            ("acc_2", "http://127.0.0.1:1/other"),
        ]
    assert len((tmp_path / "accounts.jsonl").read_bytes().splitlines()) == 2


async def test_what_a_customer_wrote_is_delivered_after_a_restart_and_only_once(tmp_path: Path) -> None:
    async with serving(tmp_path) as simulator:
        await simulator.register("http://127.0.0.1:1/away")
        body = {"profile": "acc_1", "text": "Hello?"}
        accepted = (await simulator.ask("POST", "/customers/201005556666/messages", body)).body
    async with webhook() as hook:
        async with serving(tmp_path) as simulator:
            await simulator.register(hook.url)
            await hook.until(lambda hook: len(hook.taken) == 1)
            await simulator.ask("POST", "/customers/201005556666/messages", body | {"text": "Again"})
            await hook.until(lambda hook: len(hook.taken) == 2)
        async with serving(tmp_path) as simulator:
            await simulator.ask("POST", "/customers/201005556666/messages", body | {"text": "Last"})
            await hook.until(lambda hook: any(each["text"] == "Last" for each in hook.taken))
    assert hook.taken[0]["message_id"] == accepted["message_id"]
    assert [each["text"] for each in hook.taken] == ["Hello?", "Again", "Last"]


@contextlib.asynccontextmanager
async def process(home: Path, port: int) -> AsyncGenerator[tuple[asyncio.subprocess.Process, Caller]]:
    """`python -m simulator`, as `make up` starts it."""
    environment = {"SPREADER_SIMULATOR_HOME": str(home), "SPREADER_SIMULATOR_PORT": str(port), "SPREADER_CLOCK": ""}
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulator", env=os.environ | environment, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        async with calling(f"http://127.0.0.1:{port}") as caller:
            await caller.until("/health/ready", lambda found: found["status"] == "ready")
            yield child, caller
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()


@pytest.mark.parametrize(("at", "deliveries"), [("before", ["dlv_1"]), ("after", ["dlv_1", "dlv_2"])])
async def test_a_process_told_to_die_dies_there_and_keeps_its_ledger(
    tmp_path: Path, at: str, deliveries: list[str]
) -> None:
    async with process(tmp_path, free_port()) as (child, simulator):
        await simulator.register()
        await simulator.send("dlv_1")
        await simulator.fault(kind="die", at=at)
        with pytest.raises(aiohttp.ClientConnectionError):
            await simulator.send("dlv_2")
        assert await child.wait() == EXIT_CODE_OF_DIE
    async with serving(tmp_path) as simulator:
        assert [line["delivery_id"] for line in await simulator.ledger()] == deliveries
