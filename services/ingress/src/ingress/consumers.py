"""Consumers: they read from Kafka what happened to deliveries, and what other services report about erasures."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.consent.consent_lists import ConsentLists
from ingress.consent.gateway_opt_outs import GatewayOptOuts
from ingress.privacy.erasures import Erasures
from ingress.status.handlers import RECORDS_MAX, StatusHandlers
from ingress.status.projection import StatusProjection
from ingress.webhooks.receipt_matcher import ReceiptMatcher
from spreader.clock import Now
from spreader.contract.events import ErasureReported
from spreader.erasure.postgres import ErasureTable
from spreader.kafka.client import KafkaBus
from spreader.kafka.dead_letter import DeadLetterBus
from spreader.kafka.guarded_consumer import GuardedConsumer
from spreader.kafka.subscription import BATCH_RECORDS_MAX


def build_consumers(
    engine: AsyncEngine, erasures: ErasureTable, records: Erasures, bus: KafkaBus, now: Now
) -> list[GuardedConsumer[Any]]:
    dead_letter_bus = DeadLetterBus(bus, "ingress")
    matcher = ReceiptMatcher(engine, dead_letter_bus, erasures=erasures)
    opt_outs = GatewayOptOuts(ConsentLists(engine, dead_letter_bus, now, erasures))
    handlers = StatusHandlers(StatusProjection(engine, erasures), matcher, opt_outs)
    reported = GuardedConsumer("ingress", records.on_reported, (ErasureReported,), bus)
    return [*handlers.consumers(bus), reported]


def records_max(consumer: GuardedConsumer[Any]) -> int:
    """How many records this consumer gives to its handler at once, at most."""
    return RECORDS_MAX.get(consumer.accepts[0].topic, BATCH_RECORDS_MAX)
