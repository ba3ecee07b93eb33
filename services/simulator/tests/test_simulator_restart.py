"""What survives a restart of the simulator."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import aiohttp
import pytest

from local.process.ports import free_port
from simulator.gateway import EXIT_CODE_OF_DIE
from simulator.testing import SimulatorClient, fake_webhook, running_simulator, simulator_client


async def test_the_ledger_and_its_index_survive_a_restart(tmp_path: Path) -> None:
    async with running_simulator(tmp_path) as simulator:
        await simulator.register()
        await simulator.fault(kind="fail", recipient="201009999999")
        await simulator.send("dlv_1")
        await simulator.send("dlv_2", "201009999999")
        before = await simulator.ledger()
    async with running_simulator(tmp_path) as simulator:
        assert await simulator.ledger() == before
        found = await simulator.request("GET", "/profiles/acc_1/messages/dlv_1")
        assert found.body == {"message_id": before[0]["message_id"], "at": before[0]["at"]}
        assert (await simulator.request("GET", "/profiles/acc_1/messages/dlv_2")).status == 404


async def test_an_incomplete_last_line_is_dropped(tmp_path: Path) -> None:
    async with running_simulator(tmp_path) as simulator:
        await simulator.register()
        await simulator.send("dlv_1")
        await simulator.send("dlv_2")
    file = tmp_path / "ledger.jsonl"
    file.write_bytes(file.read_bytes()[:-9])
    async with running_simulator(tmp_path) as simulator:
        await simulator.send("dlv_3")
        assert [line["delivery_id"] for line in await simulator.ledger()] == ["dlv_1", "dlv_3"]
        assert (await simulator.request("GET", "/profiles/acc_1/messages/dlv_2")).status == 404


async def test_the_last_registration_survives_a_restart(tmp_path: Path) -> None:
    async with running_simulator(tmp_path) as simulator:
        await simulator.register("http://127.0.0.1:1/old")
        await simulator.register("http://127.0.0.1:1/other", account="acc_2")
        await simulator.register("http://127.0.0.1:1/new")
    async with running_simulator(tmp_path) as simulator:
        accounts = (await simulator.request("GET", "/profiles")).body["data"]
        assert [(each["account"], each["webhook_url"]) for each in accounts] == [
            ("acc_1", "http://127.0.0.1:1/new"),
            ("acc_2", "http://127.0.0.1:1/other"),
        ]
    assert len((tmp_path / "accounts.jsonl").read_bytes().splitlines()) == 2


async def test_a_customers_message_is_delivered_once_after_a_restart(tmp_path: Path) -> None:
    async with running_simulator(tmp_path) as simulator:
        await simulator.register("http://127.0.0.1:1/away")
        body = {"profile": "acc_1", "text": "Hello?"}
        accepted = (await simulator.request("POST", "/customers/201005556666/messages", body)).body
    async with fake_webhook() as hook:
        async with running_simulator(tmp_path) as simulator:
            await simulator.register(hook.url)
            await hook.wait_until(lambda hook: len(hook.accepted) == 1)
            await simulator.request("POST", "/customers/201005556666/messages", body | {"text": "Again"})
            await hook.wait_until(lambda hook: len(hook.accepted) == 2)
        async with running_simulator(tmp_path) as simulator:
            await simulator.request("POST", "/customers/201005556666/messages", body | {"text": "Last"})
            await hook.wait_until(lambda hook: any(each["text"] == "Last" for each in hook.accepted))
    assert hook.accepted[0]["message_id"] == accepted["message_id"]
    assert [each["text"] for each in hook.accepted] == ["Hello?", "Again", "Last"]


@contextlib.asynccontextmanager
async def process(home: Path, port: int) -> AsyncGenerator[tuple[asyncio.subprocess.Process, SimulatorClient]]:
    """`python -m simulator`, as `make up` starts it."""
    environment = {"SPREADER_SIMULATOR_HOME": str(home), "SPREADER_SIMULATOR_PORT": str(port), "SPREADER_CLOCK": ""}
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulator", env=os.environ | environment, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        async with simulator_client(f"http://127.0.0.1:{port}") as caller:
            await caller.wait_until("/health/ready", lambda found: found["status"] == "ready")
            yield child, caller
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()


@pytest.mark.parametrize(("at", "deliveries"), [("before", ["dlv_1"]), ("after", ["dlv_1", "dlv_2"])])
async def test_a_die_fault_ends_the_process_and_keeps_the_ledger(
    tmp_path: Path, at: str, deliveries: list[str]
) -> None:
    async with process(tmp_path, free_port()) as (child, simulator):
        await simulator.register()
        await simulator.send("dlv_1")
        await simulator.fault(kind="die", at=at)
        with pytest.raises(aiohttp.ClientConnectionError):
            await simulator.send("dlv_2")
        assert await child.wait() == EXIT_CODE_OF_DIE
    async with running_simulator(tmp_path) as simulator:
        assert [line["delivery_id"] for line in await simulator.ledger()] == deliveries
