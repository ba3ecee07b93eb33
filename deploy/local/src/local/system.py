"""System: all processes of one Spreader on this machine, started and stopped in order."""

import asyncio
from collections.abc import Mapping, Sequence

from local.home import LocalHome
from local.process.program import Program
from local.process.supervisor import Supervisor
from local.servers.local_servers import LocalServers
from local.services import ServiceProgram
from local.unavailable import Unavailable
from local.view import View

STOP_SERVICES_SECONDS = 7.0
STOP_SERVERS_SECONDS = 6.0


class LocalSystem:
    """Starts the servers first and then the services, and keeps all of them running until `stop`."""

    def __init__(
        self,
        home: LocalHome,
        servers: LocalServers,
        services: Sequence[ServiceProgram],
        addresses: Mapping[str, str],
        view: View,
    ) -> None:
        self._home = home
        self._servers = servers
        self._addresses = addresses
        self._ready_names: set[str] = set()
        self._view = view
        self._server_supervisors = [self._supervisor(program) for program in servers.programs]
        self._service_supervisors = [self._supervisor(program) for program in services]

    async def start(self, seconds: float) -> None:
        """Start everything and return when it is ready. After `seconds`, raise Unavailable with the reasons."""
        await self._start_all(self._server_supervisors, seconds)
        await self._servers.create_topics_and_database()
        await self._start_all(self._service_supervisors, seconds)

    async def stop(self) -> None:
        """Stop the services first, because they need the servers to finish their work."""
        await asyncio.gather(*(supervisor.stop(STOP_SERVICES_SECONDS) for supervisor in self._service_supervisors))
        await asyncio.gather(*(supervisor.stop(STOP_SERVERS_SECONDS) for supervisor in self._server_supervisors))

    def _supervisor(self, program: Program) -> Supervisor:
        return Supervisor(program, self._view, self._save_running)

    def _save_running(self) -> None:
        supervisors = [*self._server_supervisors, *self._service_supervisors]
        self._home.save_running({supervisor.name: supervisor.pid for supervisor in supervisors}, self._addresses)

    async def _start_all(self, supervisors: Sequence[Supervisor], seconds: float) -> None:
        if not supervisors:
            return
        self._view.log(f"starting {', '.join(supervisor.name for supervisor in supervisors)} ...")
        try:
            async with asyncio.timeout(seconds):
                await asyncio.gather(*map(self._start_one, supervisors))
        except TimeoutError:
            late = [supervisor for supervisor in supervisors if supervisor.name not in self._ready_names]
            reasons = "; ".join(f"{supervisor.name}: {supervisor.last_error}" for supervisor in late)
            raise Unavailable(f"Not ready within {seconds:g} s. {reasons}") from None

    async def _start_one(self, supervisor: Supervisor) -> None:
        await supervisor.start()
        await supervisor.wait_ready()
        self._ready_names.add(supervisor.name)
