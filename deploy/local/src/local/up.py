"""Up: the command `make up`, which starts the system and keeps it running until Ctrl-C or SIGTERM."""

import asyncio
import signal
from collections.abc import Coroutine
from contextlib import suppress
from types import FrameType

from pydantic import ValidationError

from local.demo_package import make_demo_package
from local.plan import LaunchPlan
from local.servers.local_servers import LocalServers, choose_servers
from local.settings import LocalSettings, describe_errors
from local.system import LocalSystem
from local.unavailable import Unavailable
from local.view import View
from spreader.clock import Clock, wall_now
from spreader.settings import Settings

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def up() -> int:
    """Start the system and run it until somebody stops it. Returns the exit code."""
    view = View.of_this_process()
    for number in _SIGNALS:
        signal.signal(number, _stop_before_the_start)
    try:
        Settings()  # report invalid settings of the services before anything starts
        plan = LaunchPlan.of(LocalSettings())
        with plan.home.lock():
            plan.check_ports()
            clock = plan.home.clock(wall_now(), plan.settings.clock_speed, plan.settings.clock)
            servers = choose_servers(plan.settings, view)
            asyncio.run(_run(plan, servers, clock, view))
    except KeyboardInterrupt:
        view.log("stopped before anything was started")
    except Unavailable as reason:
        view.log(str(reason), level="error")
        return 1
    except ValidationError as error:
        view.log(describe_errors(error), level="error")
        return 1
    return 0


async def _run(plan: LaunchPlan, servers: LocalServers, clock: Clock, view: View) -> None:
    system = LocalSystem(plan.home, servers, plan.programs(servers, clock), plan.addresses, view)
    stop = asyncio.Event()
    for number in _SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        if await _completes_before(stop, _start(system, plan, view)):
            for line in [*plan.table(servers, clock), plan.ready_line]:
                view.print(line)
            await stop.wait()
        view.log("stopping ...")
    finally:
        await system.stop()
    view.log(f"stopped; {servers.data_after_stop}")


async def _start(system: LocalSystem, plan: LaunchPlan, view: View) -> None:
    await system.start(plan.settings.ready_seconds)
    if plan.settings.demo and "ingress" in plan.addresses:
        await make_demo_package(plan.addresses["ingress"], plan.settings.caller_key, view)


async def _completes_before(stop: asyncio.Event, work: Coroutine[None, None, None]) -> bool:
    """Whether the work ended before `stop` was set. If not, the work is cancelled."""
    working = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if working.done():
        await working
        return True
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working
    return False


def _stop_before_the_start(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
