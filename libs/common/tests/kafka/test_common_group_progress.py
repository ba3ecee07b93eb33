"""Group progress on a real Kafka: the first question is as quick as the second."""

import pytest
from aiokafka.client import AIOKafkaClient
from topic_harness import TOPIC

from spreader.contract.events import PARTITIONS
from spreader.kafka.group_progress import GroupProgress
from spreader.kafka.read_barrier import wait_until_consumed
from spreader.settings import Settings

pytestmark = pytest.mark.kafka


async def test_the_first_read_barrier_needs_no_new_metadata(
    kafka_servers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[str]()
    ask = AIOKafkaClient.force_metadata_update

    def counted(client: AIOKafkaClient) -> object:
        asked.append("metadata")
        return ask(client)

    progress = GroupProgress(Settings(kafka_bootstrap_servers=kafka_servers), "test-progress", TOPIC)
    await progress.start()
    monkeypatch.setattr(AIOKafkaClient, "force_metadata_update", counted)
    await wait_until_consumed(progress, TOPIC, range(PARTITIONS[TOPIC]), 0.001)
    await progress.stop()
    assert asked == []
