"""Large configuration: 10 packages of 1,000 profiles, each with the longest fields. What one changed profile costs."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.app import build
from ingress.settings import IngressSettings
from local.testbed.databases import MigratedDatabases
from pacer.release.known_events import PACKAGES, KnownEvents
from spreader.contract.events import PackageConfigured
from spreader.kafka.table import Table
from spreader.runtime.postgres import create_engine
from spreader.settings import Settings

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.recorded, pytest.mark.timeout(1_200)]

PACKAGE_COUNT, PROFILES, CHANGES = 10, 1_000, 5
PATIENCE_SECONDS = 120
SECONDS_MAX = 10
"""What a change of one profile may take until a reader has it, even on a busy machine."""
INSERT_LONGEST = text("""
INSERT INTO ingress.profile (profile_id, package_id, settings, created_at, updated_at)
SELECT rpad(md5(:package_id || number), 64, '0'), :package_id, jsonb_build_object(
    'name', repeat('n', 200), 'phone', '201000000001', 'weight', null, 'limits', jsonb_build_object(),
    'warm_up_from', null, 'backup', false, 'gateway', jsonb_build_object('driver', 'cloud_api',
    'base_url', 'https://' || repeat('b', 2040), 'account', repeat('a', 200), 'sealed', repeat('s', 14000),
    'holder', repeat('h', 200))), now(), now()
FROM generate_series(1, :profiles) AS number""")
READER = """
import asyncio, json, re, sys, time
from spreader.contract.events import PackageConfigured
from spreader.kafka.table import Table
from spreader.settings import Settings

def megabytes(name):
    with open("/proc/self/status") as file:
        return int(re.search(name + r":\\s+(\\d+) kB", file.read())[1]) / 1024

async def main():
    before, began = megabytes("VmRSS"), time.monotonic()
    table = Table(Settings(kafka_bootstrap_servers=sys.argv[1]), PackageConfigured)
    await table.start()
    seconds = time.monotonic() - began
    held, peak = megabytes("VmRSS") - before, megabytes("VmHWM") - before
    print(json.dumps({"start_seconds": round(seconds, 1), "held_mb": round(held), "peak_mb": round(peak)}))
    await table.stop()

asyncio.run(main())
"""
"""A process of its own that has nothing but the table of packages."""


@asynccontextmanager
async def ingress(settings: Settings) -> AsyncGenerator[httpx.AsyncClient]:
    own = IngressSettings(
        api_key="k",
        kafka_bootstrap_servers=settings.kafka_bootstrap_servers,
        database_url=settings.database_url,
        configured_wait_seconds=PATIENCE_SECONDS,
    )
    app = build(own)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://ingress/api/v1",
            headers={"Authorization": "Bearer k"},
            timeout=PATIENCE_SECONDS,
        ) as http,
    ):
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await http.get("http://ingress/health/ready")).status_code != 200:
                await asyncio.sleep(0.05)
        yield http


async def create_packages(http: httpx.AsyncClient, engine: AsyncEngine) -> list[str]:
    package_ids: list[str] = []
    for number in range(PACKAGE_COUNT):
        answer = await http.post("/packages", json={"name": f"Large {number}"})
        package_ids.append(answer.json()["package_id"])
        async with engine.begin() as connection:
            await connection.execute(INSERT_LONGEST, {"package_id": package_ids[-1], "profiles": PROFILES})
        (await http.post(f"/packages/{package_ids[-1]}/pause")).raise_for_status()
    return package_ids


async def change_profile(http: httpx.AsyncClient, readers: Mapping[str, Table[Any]], paused: bool) -> dict[str, float]:
    """The seconds until the caller has the answer, and until each reader has the change."""
    package_id, event = next(iter(readers["table"].rows.items()))
    profile_id = event.package.profiles[0].profile_id
    began = time.monotonic()

    def is_read(table: Table[PackageConfigured]) -> bool:
        row = table.get(package_id)
        return row is not None and row.package.profiles[0].paused is paused

    async def read(table: Table[PackageConfigured]) -> float:
        assert await table.wait_for(lambda: is_read(table), PATIENCE_SECONDS)
        return time.monotonic() - began

    reads = {reader: asyncio.create_task(read(table)) for reader, table in readers.items()}
    action = "pause" if paused else "resume"
    (await http.post(f"/packages/{package_id}/profiles/{profile_id}/{action}")).raise_for_status()
    answered = time.monotonic() - began
    return {"answer": answered, **{reader: await task for reader, task in reads.items()}}


async def start_reader(settings: Settings) -> dict[str, float]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", READER, settings.kafka_bootstrap_servers, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return json.loads(output.splitlines()[-1])


async def test_a_change_of_one_profile_of_ten_thousand_takes_effect(
    settings: Settings, databases: MigratedDatabases, keep: Callable[[str, Mapping[str, Any]], None]
) -> None:
    async with ingress(settings) as http, databases.of("pacer") as pacer_engine:
        engine = create_engine(settings, "test")
        package_ids = await create_packages(http, engine)
        await engine.dispose()
        table = Table(settings, PackageConfigured)
        pacer = KnownEvents(settings, PackageConfigured, pacer_engine, PACKAGES)
        await table.start()
        await pacer.start()
        rows = [table.get(package_id) for package_id in package_ids]
        assert [len(row.package.profiles) for row in rows if row is not None] == [PROFILES] * PACKAGE_COUNT
        readers = {"table": table, "pacer": pacer}
        changes = [await change_profile(http, readers, number % 2 == 0) for number in range(CHANGES)]
        began = time.monotonic()
        await pacer.save()
        saved = time.monotonic() - began
        await pacer.stop()
        await table.stop()
    assert rows[0] is not None
    worst = {f"{name}_seconds": round(max(change[name] for change in changes), 2) for name in changes[0]}
    figures = {
        "packages": PACKAGE_COUNT,
        "profiles": PACKAGE_COUNT * PROFILES,
        "record_mb": round(len(rows[0].model_dump_json(exclude_none=True)) / 2**20, 1),
        **worst,
        "pacer_saves_seconds": round(saved, 2),
        "reader": await start_reader(settings),
    }
    keep("large-configuration", figures)
    assert max(worst.values()) < SECONDS_MAX
