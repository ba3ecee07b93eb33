"""Local servers: the Kafka and the Postgres of one local system. Each of them exists already, or is started here."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
from sqlalchemy.exc import SQLAlchemyError

from local.downloads.kafka_jars import KAFKA_VERSION
from local.process.ports import free_port
from local.servers.class_archive import prepare_kafka
from local.servers.kafka import LocalKafka
from local.servers.postgres import LocalPostgres, create_database, drop_database
from local.servers.trial_broker import TrialBroker
from local.settings import LocalSettings
from local.unavailable import Unavailable
from local.view import View
from spreader.kafka.client import BROKER_ERRORS
from spreader.kafka.topics import create_topics
from spreader.runtime.postgres import create_engine
from spreader.settings import Settings

DATABASE = "spreader"
TRIAL_DATABASE = "spreader_trial"
CONNECT_SECONDS = 10
_INVALID_ADDRESS = (ValueError, OverflowError)  # a port that is not a number, or out of range


@dataclass(frozen=True, slots=True)
class LocalServers:
    """`kafka` and `postgres` are servers that `make up` starts. None: the environment names an existing server
    instead."""

    kafka: LocalKafka | TrialBroker | None
    postgres: LocalPostgres | None
    bootstrap_servers: str
    database_url: str = field(repr=False)

    @property
    def programs(self) -> tuple[LocalKafka | TrialBroker | LocalPostgres, ...]:
        return tuple(program for program in (self.kafka, self.postgres) if program is not None)

    @property
    def is_trial(self) -> bool:
        return isinstance(self.kafka, TrialBroker)

    @property
    def data_after_stop(self) -> str:
        return "a trial keeps no data" if self.is_trial else "the data are kept"

    @property
    def kafka_description(self) -> str:
        match self.kafka:
            case LocalKafka():
                return f"Apache Kafka {KAFKA_VERSION}, started here"
            case TrialBroker():
                return "in-memory broker: loses everything when it stops"
            case None:
                return "from SPREADER_KAFKA_BOOTSTRAP_SERVERS"

    @property
    def postgres_description(self) -> str:
        return "from SPREADER_DATABASE_URL" if self.postgres is None else "started here"

    async def create_topics_and_database(self) -> None:
        """Call this when the servers are ready. With the in-memory broker, the database is new at each start, because
        the broker has lost all topics."""
        await self._create_topics(Settings(kafka_bootstrap_servers=self.bootstrap_servers))
        if self.postgres is None:
            await self._check_database()
            return
        if self.is_trial:
            await drop_database(self.postgres.url("postgres"), TRIAL_DATABASE)
        await create_database(self.postgres.url("postgres"), self.database_url.rpartition("/")[2])

    async def _check_database(self) -> None:
        """Raise Unavailable at once if the database cannot be used. Otherwise the services would wait for it without an
        error."""
        try:
            engine = create_engine(Settings(database_url=self.database_url), "local")
            try:
                async with asyncio.timeout(CONNECT_SECONDS), engine.connect():
                    pass
            finally:
                await engine.dispose()
        except (OSError, SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, *_INVALID_ADDRESS) as error:
            address = self.database_url.rpartition("@")[2].partition("?")[0]
            raise Unavailable(
                f"Cannot connect to Postgres at {address} ({type(error).__name__}). Check that it is running and that "
                "the database and role exist, or unset SPREADER_DATABASE_URL to start a local one."
            ) from None

    async def _create_topics(self, settings: Settings) -> None:
        try:
            await create_topics(settings)
        except (*BROKER_ERRORS, *_INVALID_ADDRESS) as error:
            raise Unavailable(
                f"Cannot create topics in Kafka at {self.bootstrap_servers} ({type(error).__name__}). Check that it is "
                "running, or unset SPREADER_KAFKA_BOOTSTRAP_SERVERS to start a local one."
            ) from None


def choose_servers(settings: LocalSettings, view: View) -> LocalServers:
    """Decide which servers to use, and download Kafka at the first start. Raises Unavailable when no broker can run."""
    kafka = None if settings.kafka_bootstrap_servers else _broker(settings, view)
    postgres = None
    if settings.database_url is None:
        postgres = LocalPostgres(settings.home.resolve() / "postgres", settings.postgres_port or free_port())
    database = TRIAL_DATABASE if isinstance(kafka, TrialBroker) else DATABASE
    return LocalServers(
        kafka=kafka,
        postgres=postgres,
        bootstrap_servers=kafka.bootstrap_servers if kafka else settings.kafka_bootstrap_servers or "",
        database_url=postgres.url(database) if postgres else settings.database_url or "",
    )


def _broker(settings: LocalSettings, view: View) -> LocalKafka | TrialBroker:
    if settings.local_broker == "memory":
        view.log("SPREADER_LOCAL_BROKER=memory: all data are lost when it stops", level="warning")
        return _trial(settings)
    try:
        prepare_kafka()
    except Unavailable as reason:
        broker = _trial(settings, str(reason))
        view.log(f"using the in-memory broker: all data are lost when it stops. {reason}", level="warning")
        return broker
    return LocalKafka(Path(settings.home).resolve() / "kafka", settings.kafka_port)


def _trial(settings: LocalSettings, *reasons: str) -> TrialBroker:
    broker = TrialBroker(settings.kafka_port)
    try:
        broker.prepare()
    except Unavailable as error:
        raise Unavailable(" ".join(dict.fromkeys(["No broker can run here.", *reasons, str(error)]))) from None
    return broker
