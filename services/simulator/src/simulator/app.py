"""Assembly: builds the simulator from its settings."""

from collections.abc import Awaitable, Callable

from fastapi import Depends, FastAPI

from simulator.accounts import AccountRegistry
from simulator.customer_messages import CustomerMessageStore
from simulator.data_folder import DataFolder
from simulator.endpoints.accounts import account_routes
from simulator.endpoints.cloud_api import cloud_api_routes
from simulator.endpoints.cloud_subscriptions import cloud_subscription_routes
from simulator.endpoints.evolution import evolution_routes
from simulator.endpoints.evolution_instances import evolution_instance_routes, evolution_webhook_routes
from simulator.endpoints.evolution_messages import evolution_message_routes
from simulator.endpoints.faults import fault_routes
from simulator.endpoints.ledger import ledger_routes
from simulator.endpoints.problems import RequestProblem, install_error_handlers
from simulator.endpoints.profiles import profile_routes
from simulator.endpoints.waha import waha_routes
from simulator.endpoints.waha_sessions import waha_session_routes
from simulator.fault_registry import FaultRegistry
from simulator.gateway import SimulatedGateway
from simulator.send_ledger import SendLedger
from simulator.sends_in_flight import SendsInFlight
from simulator.settings import SimulatorSettings
from simulator.uploads import MediaUploads
from simulator.webhook_caller import WebhookCaller
from simulator.whatsapp import WhatsAppNetwork
from spreader.clock import Clock, clock_from_environment
from spreader.runtime.service import Service
from spreader.telemetry.http_middleware import TraceMiddleware
from spreader.telemetry.tracing import Tracing

DESCRIPTION = "A stand-in for WhatsApp gateways, with a ledger of every send and customers who read and reply."


def build(settings: SimulatorSettings, clock: Clock | None = None) -> FastAPI:
    clock, tracing = clock or clock_from_environment(), Tracing.of("simulator", settings)
    ledger = SendLedger(settings.simulator_home)
    accounts = AccountRegistry(settings.simulator_home, settings.simulator_registration_wait_seconds)
    customer_messages, uploads = CustomerMessageStore(settings.simulator_home), MediaUploads(settings.simulator_home)
    fault_registry, sends_in_flight = FaultRegistry(), SendsInFlight()
    whatsapp = WhatsAppNetwork(settings.simulator_seed, clock)
    webhook_caller = WebhookCaller(
        accounts,
        customer_messages,
        clock,
        waiting_max=settings.simulator_callbacks_max,
        workers=settings.simulator_callback_workers,
        timeout_seconds=settings.simulator_callback_timeout_seconds,
        back_off_factor=settings.simulator_callback_back_off_factor,
    )
    gateway = SimulatedGateway(
        ledger, fault_registry, sends_in_flight, webhook_caller, whatsapp, settings.habits, clock
    )
    service = Service("simulator", [tracing, DataFolder(ledger, accounts, customer_messages, uploads), webhook_caller])
    app = service.app(title="Spreader simulator", description=DESCRIPTION)
    app.add_middleware(TraceMiddleware, tracing=tracing)
    install_error_handlers(app)
    for routes in (
        profile_routes(gateway, accounts, ledger, webhook_caller),
        account_routes(accounts, gateway, whatsapp, webhook_caller, clock),
        cloud_api_routes(gateway, accounts, whatsapp, uploads, clock),
        cloud_subscription_routes(accounts, webhook_caller),
        waha_routes(gateway, accounts, whatsapp),
        waha_session_routes(gateway, accounts, whatsapp, clock),
        evolution_routes(gateway, accounts, whatsapp),
        evolution_message_routes(gateway, accounts),
        evolution_instance_routes(gateway, accounts, whatsapp, clock),
        evolution_webhook_routes(accounts),
        fault_routes(fault_registry, clock),
        ledger_routes(ledger, sends_in_flight),
    ):
        app.include_router(routes, dependencies=[Depends(_when_ready(service))])
    return app


def _when_ready(service: Service) -> Callable[[], Awaitable[None]]:
    async def ready() -> None:
        if reasons := service.not_ready_reasons():
            raise RequestProblem(503, "not_ready", "The simulator is not ready.", reasons=reasons)

    return ready
