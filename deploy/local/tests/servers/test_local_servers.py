"""The servers of the tests keep their ports and their data after `kill -9`."""

import asyncpg
import psutil
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from local.testbed.workbench import Workbench

TOPIC = "spreader.dead-letter"


async def test_a_record_survives_a_killed_kafka(servers: Workbench) -> None:
    async with AIOKafkaProducer(bootstrap_servers=servers.kafka_servers, acks="all") as producer:
        written = await producer.send_and_wait(TOPIC, b"still here", partition=0)
    first = servers.kafka.pid
    servers.kafka.kill()
    servers.kafka.start()
    async with AIOKafkaConsumer(bootstrap_servers=servers.kafka_servers) as consumer:
        partition = TopicPartition(TOPIC, 0)
        consumer.assign([partition])
        consumer.seek(partition, written.offset)
        assert (await consumer.getone()).value == b"still here"
    assert servers.kafka.pid != first


async def test_a_committed_row_survives_a_killed_postgres(servers: Workbench, database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute("CREATE TABLE kept (it text)")
    await connection.execute("INSERT INTO kept VALUES ('still here')")
    connection.terminate()
    servers.postgres.kill()
    servers.postgres.start()
    connection = await asyncpg.connect(database_url)
    assert await connection.fetchval("SELECT it FROM kept") == "still here"
    await connection.close()


def test_a_stopped_server_leaves_no_process(servers: Workbench) -> None:
    pid = servers.postgres.pid
    assert pid is not None
    family = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    servers.postgres.stop()
    left = [process for process in family if psutil.pid_exists(process)]
    servers.postgres.start()
    assert len(family) > 1
    assert left == []
