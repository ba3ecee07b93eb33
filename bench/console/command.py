"""Console bench command: `python -m bench console` opens many pages of one console and writes the result."""

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import aiohttp
from playwright.async_api import BrowserContext, Page, async_playwright

from bench.child import TREE, MeasurementError
from bench.console.tabs import tabs
from bench.progress import Progress
from bench.report import RESULTS, Machine, rows_of_text
from local.process.ports import free_port

PROFILES, PAGES, OPENED = 200, 20, 7
WATCH_SECONDS = 30.0
OPEN_SECONDS_MAX, MEBIBYTES_MAX, CORE_SHARE_MAX = 2.0, 300.0, 0.3
START_SECONDS = 60.0
KEY = "bench"


@dataclass(frozen=True, slots=True)
class ConsoleCost:
    """The measured cost of one console process."""

    pages: int
    profiles: int
    mebibytes_idle: float
    mebibytes: float
    core_share: float
    """CPU time divided by wall time, during half a minute with all pages open."""
    bytes_a_second: float
    """How many bytes a second the console sends to each page."""
    usable_seconds: tuple[float, ...]
    """The seconds from the opening of an address until Chromium shows the last row, while the other pages are open."""

    @property
    def verdicts(self) -> list[tuple[str, str, str, str]]:
        median = statistics.median(self.usable_seconds)
        return [
            (
                "memory of the process",
                f"{self.mebibytes:.0f} MiB",
                f"{MEBIBYTES_MAX:.0f} MiB",
                _ok(self.mebibytes, MEBIBYTES_MAX),
            ),
            ("of one core", f"{self.core_share:.0%}", f"{CORE_SHARE_MAX:.0%}", _ok(self.core_share, CORE_SHARE_MAX)),
            ("page usable, median", f"{median:.2f} s", f"{OPEN_SECONDS_MAX:.0f} s", _ok(median, OPEN_SECONDS_MAX)),
            ("page usable, slowest", f"{max(self.usable_seconds):.2f} s", "", ""),
            ("sent to each page", f"{self.bytes_a_second / 1000:.1f} kB/s", "", ""),
            ("memory without pages", f"{self.mebibytes_idle:.0f} MiB", "", ""),
        ]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench console")
    parser.add_argument("--name", default="console", help="name of the files in bench/results")
    options = parser.parse_args(arguments)
    machine, progress = Machine.this(), Progress()
    try:
        cost = asyncio.run(measure(progress))
    except MeasurementError as reason:
        progress.say(f"nothing was measured: {reason}")
        return 1
    table = rows_of_text([("what", "measured", "budget", "kept"), *cost.verdicts])
    text = "\n".join(
        [
            "# The console",
            "",
            f"{machine.line}",
            "",
            f"One console process; {cost.pages} open pages show all {cost.profiles} profiles of one package. The",
            "figures of a fifth of the profiles change each second. Stubs of ingress and stats respond at once.",
            "The pages receive everything and draw nothing. The times are of a Chromium beside them.",
            "",
            *table,
            "",
        ]
    )
    (RESULTS / f"{options.name}.md").write_text(text)
    result = {"machine": asdict(machine), "found": asdict(cost)}
    (RESULTS / f"{options.name}.json").write_text(json.dumps(result, indent=2) + "\n")
    print(text)
    return 0


async def measure(progress: Progress) -> ConsoleCost:
    stub_port, port = free_port(), free_port()
    async with _process("bench.console.stub_services", str(stub_port), str(PROFILES)), _console(stub_port, port) as pid:
        address = f"http://127.0.0.1:{port}"
        await _wait_until_ready(f"{address}/sign-in")
        idle = _mebibytes(pid)
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
            await session.post(f"{address}/sign-in", data={"key": KEY, "operator": "bench"})
            async with tabs(session, address, "/packages/fleet", PAGES) as received:
                progress.say(f"{PAGES} pages are open; watching for {WATCH_SECONDS:g} s ...")
                before, began, bytes_before = _cpu_seconds(pid), time.monotonic(), sum(received)
                await asyncio.sleep(WATCH_SECONDS)
                seconds = time.monotonic() - began
                used = (_cpu_seconds(pid) - before) / seconds
                sent = (sum(received) - bytes_before) / seconds / PAGES
                memory = _mebibytes(pid)
                progress.say(f"{used:.0%} of a core, {memory:.0f} MiB; now a browser beside them ...")
                opened = await _in_a_browser(address, progress)
        return ConsoleCost(PAGES, PROFILES, idle, memory, used, sent, tuple(opened))


async def _in_a_browser(address: str, progress: Progress) -> list[float]:
    seconds: list[float] = []
    async with _browser() as context:
        await _sign_in(await context.new_page(), address)
        for number in range(OPENED):
            page = await context.new_page()
            seconds.append(await _open(page, address))
            progress.say(f"page {number + 1} of {OPENED}: usable after {seconds[-1]:.2f} s")
            await page.close()
    return seconds


async def _open(page: Page, address: str) -> float:
    began = time.monotonic()
    await page.goto(f"{address}/packages/fleet")
    await page.get_by_test_id(f"profile-profile-{PROFILES - 1}").wait_for(state="attached")
    return time.monotonic() - began


async def _sign_in(page: Page, address: str) -> None:
    await page.goto(address)
    await page.get_by_label("API key").fill(KEY)
    await page.get_by_label("Your name").fill("bench")
    await page.keyboard.press("Enter")
    await page.get_by_test_id("package-fleet").wait_for()
    await page.close()


@asynccontextmanager
async def _browser() -> AsyncGenerator[BrowserContext]:
    path = os.environ.get("SPREADER_CHROMIUM") or shutil.which("chromium")
    if path is None:
        raise MeasurementError(
            "Chromium is not installed. Install it (Debian: apt-get install chromium) or set SPREADER_CHROMIUM."
        )
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield await browser.new_context(viewport={"width": 1280, "height": 900})
        await browser.close()


@asynccontextmanager
async def _console(stub_port: int, port: int) -> AsyncGenerator[int]:
    stub_url = f"http://127.0.0.1:{stub_port}"
    settings = {"SPREADER_INGRESS_URL": stub_url, "SPREADER_STATS_URL": stub_url, "SPREADER_CONSOLE_PORT": str(port)}
    async with _process("console", **settings) as pid:
        yield pid


@asynccontextmanager
async def _process(module: str, *arguments: str, **settings: str) -> AsyncGenerator[int]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        cwd=TREE,
        env={**os.environ, **settings},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process.pid
    finally:
        process.kill()
        await process.wait()


async def _wait_until_ready(address: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    async with aiohttp.ClientSession() as session:
        while time.monotonic() < deadline:
            try:
                async with session.get(address) as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)
    raise MeasurementError(f"the console was not ready within {START_SECONDS:g} s")


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _mebibytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def _ok(value: float, maximum: float) -> str:
    return "yes" if value <= maximum else "no"
