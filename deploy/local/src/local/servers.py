"""Servers: the Kafka and the Postgres of one local system: existing ones, processes of its own, or a trial broker."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from sqlalchemy.exc import SQLAlchemyError

from local.archive import fetch_kafka
from local.jars import KAFKA_VERSION
from local.kafka import LocalKafka
from local.ports import free_port
from local.postgres import LocalPostgres, create_database, drop_database
from local.settings import LocalSettings
from local.trial import TrialBroker
from local.unavailable import Unavailable
from local.view import View
from spreader.kafka.client import BROKER_ERRORS, create_topics
from spreader.runtime.postgres import create_engine
from spreader.settings import Settings

DATABASE = "spreader"
DATABASE_OF_TRIALS = "spreader_trial"
GREET_SECONDS = 10
_NO_ADDRESS = (ValueError, OverflowError)  # a port that is no number, or none that there can be


@dataclass(frozen=True, slots=True)
class Servers:
    """`kafka` and `postgres` are what we run; None where the environment names existing ones."""

    kafka: LocalKafka | TrialBroker | None
    postgres: LocalPostgres | None
    bootstrap_servers: str
    database_url: str

    @property
    def programs(self) -> tuple[LocalKafka | TrialBroker | LocalPostgres, ...]:
        return tuple(program for program in (self.kafka, self.postgres) if program is not None)

    @property
    def is_trial(self) -> bool:
        return isinstance(self.kafka, TrialBroker)

    @property
    def farewell(self) -> str:
        """What becomes of the data when the system stops."""
        return "nothing is kept of this trial" if self.is_trial else "the data stay"

    @property
    def kind_of_kafka(self) -> str:
        match self.kafka:
            case LocalKafka():
                return f"Apache Kafka {KAFKA_VERSION}, of this system"
            case TrialBroker():
                return "an in-memory broker: everything is gone after a stop"
            case None:
                return "given by SPREADER_KAFKA_BOOTSTRAP_SERVERS"

    @property
    def kind_of_postgres(self) -> str:
        return "given by SPREADER_DATABASE_URL" if self.postgres is None else "of this system"

    async def furnish(self) -> None:
        """Topics and database, when the servers answer. What a trial broker forgot, the database must not remember."""
        await self._create_topics(Settings(kafka_bootstrap_servers=self.bootstrap_servers))
        if self.postgres is None:
            await self._greet_database()
            return
        if self.is_trial:
            await drop_database(self.postgres.url("postgres"), DATABASE_OF_TRIALS)
        await create_database(self.postgres.url("postgres"), self.database_url.rpartition("/")[2])

    async def _greet_database(self) -> None:
        """Services wait long for a database; one that cannot be had when all begins is told at once."""
        try:
            engine = create_engine(Settings(database_url=self.database_url), "local")
            try:
                async with asyncio.timeout(GREET_SECONDS), engine.connect():
                    pass
            finally:
                await engine.dispose()
        except (OSError, SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, *_NO_ADDRESS) as error:
            place = self.database_url.rpartition("@")[2].partition("?")[0]
            raise Unavailable(
                f"Postgres at {place} lets nobody in ({type(error).__name__}): look whether it runs there and has this "
                "database and role, or leave SPREADER_DATABASE_URL out, and one is started here."
            ) from None

    async def _create_topics(self, settings: Settings) -> None:
        try:
            await create_topics(settings)
        except (*BROKER_ERRORS, *_NO_ADDRESS) as error:
            raise Unavailable(
                f"Kafka at {self.bootstrap_servers} takes no topics ({type(error).__name__}): look whether it runs "
                "there, or leave SPREADER_KAFKA_BOOTSTRAP_SERVERS out, and one is started here."
            ) from None


def choose_servers(settings: LocalSettings, view: View) -> Servers:
    """May fetch Kafka (the first time), and says so; raises Unavailable where nothing can be had."""
    kafka = None if settings.kafka_bootstrap_servers else _broker(settings, view)
    postgres = None
    if settings.database_url is None:
        postgres = LocalPostgres(settings.home.resolve() / "postgres", settings.postgres_port or free_port())
    database = DATABASE_OF_TRIALS if isinstance(kafka, TrialBroker) else DATABASE
    return Servers(
        kafka=kafka,
        postgres=postgres,
        bootstrap_servers=kafka.bootstrap_servers if kafka else settings.kafka_bootstrap_servers or "",
        database_url=postgres.url(database) if postgres else settings.database_url or "",
    )


def _broker(settings: LocalSettings, view: View) -> LocalKafka | TrialBroker:
    if settings.local_broker == "memory":
        view.say("SPREADER_LOCAL_BROKER=memory: everything is gone after a stop", level="warning")
        return _trial(settings)
    try:
        fetch_kafka()
    except Unavailable as reason:
        broker = _trial(settings, str(reason))
        view.say(f"trying on an in-memory broker, which keeps nothing after a stop. {reason}", level="warning")
        return broker
    return LocalKafka(Path(settings.home).resolve() / "kafka", settings.kafka_port)


def _trial(settings: LocalSettings, *reasons: str) -> TrialBroker:
    broker = TrialBroker(settings.kafka_port)
    try:
        broker.prepare()
    except Unavailable as error:
        raise Unavailable(" ".join(dict.fromkeys(["No broker can be had.", *reasons, str(error)]))) from None
    return broker
