"""Refused records of stats: an alert that Kafka refuses for good holds up no other."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.contract.events import DEAD_LETTER_TOPIC, Alert
from spreader.kafka.dead_letter import DeadLetterBus
from spreader.testing import kafka_bus, record_counts
from stats.core.alerts import Severity, StoredAlert
from stats.health.publisher import AlertPublisher
from stats.health.sql_alerts import save_alerts, unpublished_alerts

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]

TOPICS = (Alert.topic, DEAD_LETTER_TOPIC)
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def stored(number: int, evidence: str) -> StoredAlert:
    return StoredAlert(f"alr_{number}", f"prf_{number}", "pkg", "test", "warning", evidence, NOON)


async def test_an_alert_that_kafka_refuses_holds_up_no_other(engine: AsyncEngine, kafka_servers: str) -> None:
    """Before, all alerts were published again and again."""
    async with engine.begin() as connection:
        alerts = [stored(1, "none"), stored(2, "x" * 1_500_000), stored(3, "none")]
        await save_alerts(connection, alerts, NOON)
    before = await record_counts(kafka_servers, *TOPICS)
    async with kafka_bus(kafka_servers) as bus:
        await AlertPublisher(engine, DeadLetterBus(bus, "stats")).turn()
    written = await record_counts(kafka_servers, *TOPICS) - before
    assert written[Alert.topic] >= 2
    assert written[DEAD_LETTER_TOPIC] == 1
    assert await unpublished_alerts(engine, 10) == []


async def test_an_alert_without_a_valid_event_holds_up_no_other(engine: AsyncEngine, kafka_servers: str) -> None:
    odd = replace(stored(2, "none"), severity=cast("Severity", "odd"))
    async with engine.begin() as connection:
        await save_alerts(connection, [stored(1, "none"), odd, stored(3, "none")], NOON)
    before = await record_counts(kafka_servers, *TOPICS)
    async with kafka_bus(kafka_servers) as bus:
        await AlertPublisher(engine, bus).turn()
    written = await record_counts(kafka_servers, *TOPICS) - before
    assert written[Alert.topic] >= 2
    assert await unpublished_alerts(engine, 10) == []
