"""Assembly: the one place that knows what the simulator is made of."""

from collections.abc import Awaitable, Callable

from fastapi import Depends, FastAPI

from simulator.accounts import Accounts
from simulator.callbacks import Callbacks
from simulator.endpoints.accounts import account_routes
from simulator.endpoints.cloud_api import cloud_api_routes
from simulator.endpoints.evolution import evolution_routes
from simulator.endpoints.faults import fault_routes
from simulator.endpoints.problems import Problem, answer_problems
from simulator.endpoints.profiles import profile_routes
from simulator.endpoints.waha import waha_routes
from simulator.endpoints.witness import witness_routes
from simulator.flights import Flights
from simulator.gateway import Gateway
from simulator.home import Home
from simulator.ledger import Ledger
from simulator.mailbox import Mailbox
from simulator.settings import SimulatorSettings
from simulator.switchboard import Switchboard
from simulator.uploads import Uploads
from simulator.whatsapp import WhatsApp
from spreader.clock import Clock, clock_from_environment
from spreader.runtime.service import Service
from spreader.telemetry.http_middleware import TraceMiddleware
from spreader.telemetry.tracing import Tracing

DESCRIPTION = "A stand-in for WhatsApp gateways: it keeps a ledger of every send, and customers who read and answer."


def build(settings: SimulatorSettings, clock: Clock | None = None) -> FastAPI:
    clock, tracing = clock or clock_from_environment(), Tracing.of("simulator", settings)
    ledger = Ledger(settings.simulator_home)
    accounts = Accounts(settings.simulator_home, settings.simulator_registration_wait_seconds)
    mailbox, uploads = Mailbox(settings.simulator_home), Uploads(settings.simulator_home)
    switchboard, flights = Switchboard(), Flights()
    whatsapp = WhatsApp(settings.simulator_seed, clock)
    callbacks = Callbacks(
        accounts,
        mailbox,
        clock,
        waiting_max=settings.simulator_callbacks_max,
        workers=settings.simulator_callback_workers,
        timeout_seconds=settings.simulator_callback_timeout_seconds,
        back_off_factor=settings.simulator_callback_back_off_factor,
    )
    gateway = Gateway(ledger, switchboard, flights, callbacks, whatsapp, settings.habits, clock)
    service = Service("simulator", [tracing, Home(ledger, accounts, mailbox, uploads), callbacks])
    app = service.app(title="Spreader simulator", description=DESCRIPTION)
    app.add_middleware(TraceMiddleware, tracing=tracing)
    answer_problems(app)
    for routes in (
        profile_routes(gateway, accounts, ledger, callbacks),
        account_routes(accounts, gateway, whatsapp, callbacks, clock),
        cloud_api_routes(gateway, accounts, whatsapp, uploads, clock),
        waha_routes(gateway, accounts, whatsapp),
        evolution_routes(gateway, accounts, whatsapp),
        fault_routes(switchboard, clock),
        witness_routes(ledger, flights),
    ):
        app.include_router(routes, dependencies=[Depends(_when_ready(service))])
    return app


def _when_ready(service: Service) -> Callable[[], Awaitable[None]]:
    async def ready() -> None:
        if trouble := service.not_ready_reasons():
            raise Problem(503, "not_ready", "The simulator is not ready.", reasons=trouble)

    return ready
