"""Up: `make up`: start the system, say where everything is, keep it running until told to stop."""

import asyncio
import signal
from collections.abc import Coroutine
from contextlib import suppress
from types import FrameType

from pydantic import ValidationError

from local.demo_package import make_demo_package
from local.plan import Plan
from local.servers import Servers, choose_servers
from local.settings import LocalSettings, what_is_wrong
from local.system import System
from local.unavailable import Unavailable
from local.view import View
from spreader.clock import Clock, wall_now
from spreader.settings import Settings

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def up() -> int:
    """The exit code."""
    view = View.of_this_process()
    for number in _SIGNALS:
        signal.signal(number, _stop_before_the_start)
    try:
        Settings()  # what every service reads: refused here, before anything starts
        plan = Plan.of(LocalSettings())
        with plan.home.occupied():
            plan.check_ports()
            clock = plan.home.clock(wall_now(), plan.settings.clock_speed, plan.settings.clock)
            servers = choose_servers(plan.settings, view)
            asyncio.run(_run(plan, servers, clock, view))
    except KeyboardInterrupt:
        view.say("stopped before anything was started")
    except Unavailable as reason:
        view.say(str(reason), level="error")
        return 1
    except ValidationError as error:
        view.say(what_is_wrong(error), level="error")
        return 1
    return 0


async def _run(plan: Plan, servers: Servers, clock: Clock, view: View) -> None:
    system = System(plan.home, servers, plan.programs(servers, clock), plan.addresses, view)
    stop = asyncio.Event()
    for number in _SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        if await _before(stop, _start(system, plan, view)):
            for line in [*plan.table(servers, clock), plan.ready_line]:
                view.plain(line)
            await stop.wait()
        view.say("stopping ...")
    finally:
        await system.stop()
    view.say(f"stopped; {servers.farewell}")


async def _start(system: System, plan: Plan, view: View) -> None:
    await system.start(plan.settings.ready_seconds)
    if plan.settings.demo and "ingress" in plan.addresses:
        await make_demo_package(plan.addresses["ingress"], plan.settings.api_key, view)


async def _before(stop: asyncio.Event, work: Coroutine[None, None, None]) -> bool:
    """Whether the work was done before we were told to stop; it is given up then."""
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
