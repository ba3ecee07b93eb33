"""Kafka: an Apache Kafka broker in KRaft mode, as a process of this machine."""

import asyncio
import base64
import shutil
import subprocess
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from local.downloads.java import java, version
from local.downloads.kafka_jars import archive_file, kafka_jars
from local.process.ports import HOST, free_port, require_listener
from local.process.program import Command
from local.unavailable import Unavailable, shorten
from spreader.kafka.client import client_arguments
from spreader.settings import Settings

_JVM = (
    "-Xms256m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:ActiveProcessorCount=2",
    "-Djava.awt.headless=true",
)

REQUEST_TIMEOUT_MS = 2_000
VERSION_THAT_WARNS = 24  # from this version on, Java warns about sun.misc.Unsafe (JEP 498), which Kafka uses

_SERVER_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers={host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
num.partitions=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
"""

_LOG4J = """\
rootLogger.level = {level}
rootLogger.appenderRef.stdout.ref = stdout
logger.apis.name = kafka.server.ControllerApis
logger.apis.level = FATAL
appender.stdout.type = Console
appender.stdout.name = stdout
appender.stdout.layout.type = PatternLayout
appender.stdout.layout.pattern = %p %m (%c{{1}})%n%throwable{{short}}
"""


def cluster_id() -> str:
    """A random cluster id in Kafka's form: 16 bytes in base64, not beginning with a dash."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "_")


@dataclass(frozen=True, slots=True)
class LocalKafka:
    """All files of the broker are in `folder`. Each start may use another port. The data stay."""

    folder: Path
    port: int
    level: str = "ERROR"
    name: str = "kafka"

    @property
    def bootstrap_servers(self) -> str:
        return f"{HOST}:{self.port}"

    def prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "log4j2.properties").write_text(_LOG4J.format(level=self.level))
        data = self.folder / "data"
        if not (data / "meta.properties").exists():
            shutil.rmtree(data, ignore_errors=True)
            self._format(self.folder / "data.half")
            (self.folder / "data.half").rename(data)
        self._write_properties(data)

    def command(self, *options: str) -> Command:
        return Command([*self._java(*options), "kafka.Kafka", str(self._properties)], folder=self.folder)

    async def check(self) -> None:
        """The broker is ready when it is unfenced and every partition has a leader.

        The clients have a shorter time-out than the caller. Otherwise the caller could cancel a client while the client
        connects, and the connection would stay open.
        """
        await require_listener(self.port)
        arguments = client_arguments(self.client_settings())
        arguments["request_timeout_ms"] = REQUEST_TIMEOUT_MS
        admin = AIOKafkaAdminClient(**arguments)
        consumer = AIOKafkaConsumer(**arguments)
        try:
            await admin.start()
            described = await admin.describe_cluster()
            if not described["brokers"]:
                raise ConnectionError("the broker is still fenced")
            await consumer.start()
            topics = await consumer.topics()
            partitions = [
                TopicPartition(topic, n) for topic in topics for n in consumer.partitions_for_topic(topic) or ()
            ]
            await consumer.end_offsets(partitions)
        finally:
            await asyncio.sleep(0)  # otherwise `stop` cancels a task before its start, and so also the caller
            await consumer.stop()
            await admin.close()

    def _format(self, data: Path) -> None:
        shutil.rmtree(data, ignore_errors=True)  # left by a first start that was interrupted
        self._write_properties(data)
        self._tool("format", "--standalone", "-t", cluster_id(), "-c", str(self._properties), *self.format_options())

    @property
    def _properties(self) -> Path:
        return self.folder / "server.properties"

    def properties(self, data: Path, controller_port: int) -> str:
        """The broker's settings. Of two lines with one name, Kafka takes the last."""
        return _SERVER_PROPERTIES.format(host=HOST, port=self.port, controller_port=controller_port, data=data)

    def format_options(self) -> Sequence[str]:
        """What else Kafka's storage tool writes into a new cluster."""
        return ()

    def client_settings(self) -> Settings:
        """Of a client that may do everything."""
        return Settings(kafka_bootstrap_servers=self.bootstrap_servers)

    def _write_properties(self, data: Path) -> None:
        self._properties.write_text(self.properties(data, free_port()))

    def _tool(self, *arguments: str) -> str:
        command = [*self._java(), "kafka.tools.StorageTool", *arguments]
        completed = subprocess.run(command, capture_output=True, text=True, cwd=self.folder, check=False)
        if completed.returncode != 0:
            raise Unavailable(
                f"Kafka cannot create its data in {self.folder}: {shorten(completed.stdout + completed.stderr)}"
            )
        return completed.stdout

    def _java(self, *options: str) -> Sequence[str]:
        program = java()
        archive = archive_file(program)
        has_archive = archive.exists() and archive.stat().st_size > 0
        unsafe = ["--sun-misc-unsafe-memory-access=allow"] if (version(program) or 0) >= VERSION_THAT_WARNS else []
        shared = [f"-XX:SharedArchiveFile={archive}", "-Xlog:cds=off", "-Xlog:disable", "-Xlog:all=error:stderr"]
        return [
            str(program),
            *_JVM,
            *unsafe,
            *(shared if has_archive else []),
            *options,
            f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}",
            "-cp",
            f"{kafka_jars()}/*",
        ]
