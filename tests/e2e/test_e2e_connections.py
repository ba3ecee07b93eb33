"""Connections: users, certificates, ACLs and roles, against a real Kafka and a real Postgres that check them."""

import re
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError
from e2e.gateways import FAST_PACING
from e2e.secured_servers import OWNER, Roles, postgres_with_roles, run_command, secured_kafka
from e2e.secured_system import SecuredSystem
from e2e.system import eventually, recipients
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from local.testbed.certificates import Authority
from local.testbed.secured_kafka import MECHANISMS, Listener, SecuredKafka
from local.unavailable import Unavailable
from spreader.clock import Clock, wall_now
from spreader.contract.access import ACCESS
from spreader.contract.events import DEAD_LETTER_TOPIC, Alert, CustomerMessage
from spreader.kafka.bus import PublishFailed
from spreader.kafka.client import KafkaBus, client_arguments, create_broker, partitions_of
from spreader.kafka.topic_state import read_topic
from spreader.runtime.migrations.runner import NotMigrated, require_migrated
from spreader.runtime.postgres import create_engine
from spreader.settings import Settings

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SERVICES = tuple(ACCESS)
WAYS: tuple[tuple[Listener, str], ...] = (
    *(("open", mechanism) for mechanism in MECHANISMS),
    *(("password", mechanism) for mechanism in MECHANISMS),
    ("certificate", ""),
    ("both", "SCRAM-SHA-512"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("secured")


@pytest.fixture(scope="module")
def kafka(folder: Path, skip: Any) -> Generator[SecuredKafka]:
    try:
        with secured_kafka(folder) as kafka:
            yield kafka
    except Unavailable as reason:
        skip(f"needs Kafka: {reason}")


@pytest.fixture(scope="module")
def roles(folder: Path, skip: Any) -> Generator[Roles]:
    try:
        with postgres_with_roles(folder, SERVICES) as roles:
            yield roles
    except Unavailable as reason:
        skip(f"needs a Postgres with TLS: {reason}")


@pytest.fixture(scope="module")
def migrated(roles: Roles) -> Roles:
    run_command(roles.of(OWNER), "migrate")
    return roles


def of(given: Mapping[str, Any]) -> Settings:
    return Settings(**given)


def alert(name: str) -> Alert:
    at = wall_now()
    return Alert(
        alert_id=name, profile_id=name, package_id="secured", kind="test", state="raised", evidence="none", at=at
    )


@pytest.mark.parametrize(("listener", "mechanism"), WAYS)
async def test_a_client_publishes_and_reads_over_each_kind_of_connection(
    kafka: SecuredKafka, listener: Listener, mechanism: str
) -> None:
    """The broker of FastStream publishes, and the other kind of client reads what it published."""
    settings, key = of(kafka.of("stats", listener, mechanism)), uuid4().hex
    broker = create_broker(settings, "stats")
    await broker.start()
    try:
        await KafkaBus(broker, "stats", Clock()).publish(alert(key))
    finally:
        await broker.stop()
    read = [record.key async for records in read_topic(settings, Alert.topic) for record in records]
    assert key.encode() in read


@pytest.mark.parametrize(
    ("listener", "change"),
    [
        ("open", {"kafka_password_file": "WRONG"}),
        ("password", {"kafka_password_file": "WRONG"}),
        ("password", {"kafka_mechanism": "PLAIN", "kafka_password_file": "WRONG"}),
        ("password", {"kafka_ca_file": "STRANGER"}),
        ("certificate", {"kafka_certificate_file": None, "kafka_key_file": None}),
        ("both", {"kafka_certificate_file": None, "kafka_key_file": None}),
    ],
)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_a_client_that_shows_the_wrong_thing_is_refused(
    kafka: SecuredKafka, listener: Listener, change: Mapping[str, Any], folder: Path
) -> None:
    wrong = folder / "wrong"
    wrong.write_text("hunter2")
    replaced = {"WRONG": wrong, "STRANGER": Authority(folder / "stranger").file}
    given = {name: replaced.get(value, value) for name, value in change.items()}
    with pytest.raises((KafkaError, OSError)) as refused:
        await partitions_of(of({**kafka.of("stats", listener), **given}), Alert.topic)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("listener", ["password", "certificate"])
async def test_a_service_that_reaches_for_a_foreign_topic_or_group_is_refused(
    kafka: SecuredKafka, listener: Listener
) -> None:
    settings = of(kafka.of("router", listener))
    assert await partitions_of(settings, CustomerMessage.topic)
    with pytest.raises(KafkaError, match=r"may not read or write the topic spreader\.alerts"):
        await partitions_of(settings, Alert.topic)
    broker = create_broker(settings, "router")
    await broker.start()
    try:
        with pytest.raises(PublishFailed, match="TopicAuthorizationFailed"):
            await KafkaBus(broker, "router", Clock()).publish(alert("foreign"))
    finally:
        await broker.stop()
    consumer = AIOKafkaConsumer(CustomerMessage.topic, **client_arguments(settings), group_id="stats")
    with pytest.raises(GroupAuthorizationFailedError):
        await consumer.start()
    await consumer.stop()


async def test_the_operator_lists_dead_letters_and_a_service_may_not(kafka: SecuredKafka) -> None:
    async with AIOKafkaProducer(**client_arguments(of(kafka.of("router", "both")))) as producer:
        await producer.send_and_wait(DEAD_LETTER_TOPIC, b"of no topic")
    assert "1 name no topic of Spreader" in run_command(kafka.of("operator", "both"), "replay")
    with pytest.raises(AssertionError, match=r"Kafka at .* failed \(TopicAuthorizationFailedError\)"):
        run_command(kafka.of("router", "both"), "replay")


async def test_postgres_shows_a_certificate_for_its_name_from_a_known_authority(roles: Roles, folder: Path) -> None:
    given = roles.superuser()
    assert await _value(given, "SELECT ssl::text FROM pg_stat_ssl WHERE pid = pg_backend_pid()") == "true"
    for change in (
        {"database_ca_file": Authority(folder / "stranger").file},
        {"database_url": str(given["database_url"]).replace("127.0.0.1", "localhost")},
    ):
        with pytest.raises(OSError, match="certificate verify failed"):
            await _value({**given, **change}, "SELECT 'never'")


async def test_a_changed_password_file_is_read_again_for_the_next_connection(roles: Roles) -> None:
    engine = create_engine(of(roles.of("spreader_router")), "router")
    try:
        async with engine.connect() as first:
            roles.set_password("spreader_router")
            async with engine.connect() as second:
                assert await first.scalar(text("SELECT 1")) == await second.scalar(text("SELECT 1"))
    finally:
        await engine.dispose()


async def test_a_service_without_the_right_to_migrate_waits_for_the_owner(roles: Roles) -> None:
    router = create_engine(of(roles.of("spreader_router")), "router")
    try:
        with pytest.raises(NotMigrated, match="python -m spreader migrate router"):
            await require_migrated(router, "router")
        run_command(roles.of(OWNER), "migrate", "router")
        await require_migrated(router, "router")
    finally:
        await router.dispose()


@pytest.mark.parametrize("service", SERVICES)
async def test_a_role_may_use_the_rows_of_its_schema_and_nothing_else(migrated: Roles, service: str) -> None:
    given, foreign = migrated.of(f"spreader_{service}"), "router" if service == "stats" else "stats"
    assert await _value(given, f"SELECT count(*)::text FROM {service}.position")
    for statement in (
        f"SELECT count(*)::text FROM {foreign}.position",
        f"CREATE TABLE {service}.mine (a int)",
        f"DROP TABLE {service}.position",
        f"TRUNCATE {service}.position",
        "CREATE SCHEMA mine",
        "CREATE TABLE public.mine (a int)",
    ):
        with pytest.raises(DBAPIError, match=r"permission denied|must be owner"):
            await _value(given, statement)


async def test_the_whole_system_runs_with_all_of_this_at_once(
    kafka: SecuredKafka, migrated: Roles, folder: Path
) -> None:
    """Ingress, router and sender show Kafka a password and a certificate, pacer and stats only a certificate. Stats
    shows Postgres a certificate, the others a password."""
    listeners: Mapping[str, Listener] = {"pacer": "certificate", "stats": "certificate"}
    connections = {
        service: {**kafka.of(service, listeners.get(service, "both")), **migrated.of(f"spreader_{service}")}
        for service in SERVICES
    }
    system = SecuredSystem(folder / "system", connections=connections)
    await system.start()
    try:
        await system.create_package("secured", 2, **FAST_PACING)
        people = recipients(4, 870_000)
        body = {"type": "text", "text": "Hello", "recipients": people[:3]}
        campaign = await system.ask("POST", "/packages/secured/messages/open", body)
        assert campaign.status == 202, campaign.body
        body = {"type": "text", "text": "Yes", "recipient": people[3]}
        reply = await system.ask("POST", "/packages/secured/messages/reply", body)
        assert (reply.status, reply.body["status"]) == (200, "sent"), reply.body
        sent = await eventually(lambda: _recipients(system), 90, lambda seen: len(seen) >= len(people))
        assert sent == people
    finally:
        await system.stop()
    log, secrets = system.logs(), {*kafka.passwords.values(), *migrated.passwords()}
    assert log
    assert not [secret for secret in secrets if secret in log], "a password is in the logs"
    assert not re.findall(r".*AuthorizationFailed.*|.*permission denied.*", log)


async def _recipients(system: SecuredSystem) -> list[str]:
    return sorted(line["recipient"] for line in await system.ledger())


async def _value(given: Mapping[str, Any], statement: str) -> str | None:
    engine = create_engine(of(given), "test")
    try:
        async with engine.begin() as connection:
            result = await connection.execute(text(statement))
            return result.scalar() if result.returns_rows else None
    finally:
        await engine.dispose()
