"""System: all processes of one Spreader on this machine, started in order and stopped in order."""

import asyncio
from collections.abc import Mapping, Sequence

from local.home import Home
from local.keeper import Keeper
from local.program import Program
from local.servers import Servers
from local.services import ServiceProgram
from local.unavailable import Unavailable
from local.view import View

STOP_SERVICES_SECONDS = 7.0
STOP_SERVERS_SECONDS = 6.0


class System:
    """Servers first, then services; each is kept running until `stop`."""

    def __init__(
        self,
        home: Home,
        servers: Servers,
        services: Sequence[ServiceProgram],
        addresses: Mapping[str, str],
        view: View,
    ) -> None:
        self._home = home
        self._servers = servers
        self._addresses = addresses
        self._ready_names: set[str] = set()
        self._view = view
        self._server_keepers = [self._keeper(program) for program in servers.programs]
        self._service_keepers = [self._keeper(program) for program in services]

    async def start(self, seconds: float) -> None:
        """Return when everything is ready; raise Unavailable, with the reason, when it is not within `seconds`."""
        await self._start_all(self._server_keepers, seconds)
        await self._servers.furnish()
        await self._start_all(self._service_keepers, seconds)

    async def stop(self) -> None:
        """Services before the servers that they drain into."""
        await asyncio.gather(*(keeper.stop(STOP_SERVICES_SECONDS) for keeper in self._service_keepers))
        await asyncio.gather(*(keeper.stop(STOP_SERVERS_SECONDS) for keeper in self._server_keepers))

    def _keeper(self, program: Program) -> Keeper:
        return Keeper(program, self._view, self._remember)

    def _remember(self) -> None:
        keepers = [*self._server_keepers, *self._service_keepers]
        self._home.remember_running({keeper.name: keeper.pid for keeper in keepers}, self._addresses)

    async def _start_all(self, keepers: Sequence[Keeper], seconds: float) -> None:
        if not keepers:
            return
        self._view.say(f"starting {', '.join(keeper.name for keeper in keepers)} ...")
        try:
            async with asyncio.timeout(seconds):
                await asyncio.gather(*map(self._start_one, keepers))
        except TimeoutError:
            late = [keeper for keeper in keepers if keeper.name not in self._ready_names]
            reasons = "; ".join(f"{keeper.name}: {keeper.last_trouble}" for keeper in late)
            raise Unavailable(f"Not ready within {seconds:g} s: {reasons}") from None

    async def _start_one(self, keeper: Keeper) -> None:
        await keeper.start()
        await keeper.wait_ready()
        self._ready_names.add(keeper.name)
