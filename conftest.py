"""The servers of the tests: from the environment, else local processes, else (chosen) containers. See deploy/local."""

import os
import uuid
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import hypothesis
import pytest
import structlog

from local.postgres import create_database, drop_database
from local.promtool import promtool as _promtool
from local.server import blocking
from local.tables import Tables
from local.unavailable import Unavailable
from local.workbench import Workbench, workbench
from spreader.kafka.client import create_topics
from spreader.settings import Settings

hypothesis.settings.register_profile("spreader", deadline=None)  # machines are noisy: no example is timed
hypothesis.settings.load_profile("spreader")

pytest_plugins = ["figures"]

KAFKA = "SPREADER_KAFKA_BOOTSTRAP_SERVERS"
POSTGRES = "SPREADER_DATABASE_URL"


TOGETHER = ("systems", "kafka")
"""Run by one process of `make test` each, the longest first. One whole system at a time: two are late on two cores."""


def pytest_configure() -> None:
    """As structlog comes it draws each exception with its variables: that takes seconds, in which nothing else runs."""
    plain = [structlog.processors.add_log_level, structlog.processors.format_exc_info]
    structlog.configure(processors=[*plain, structlog.processors.KeyValueRenderer(key_order=["level", "event"])])


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In a run of several processes (pytest-xdist): what belongs together stays so, and the longest begins first."""
    if not hasattr(config, "workerinput"):
        return
    for item in items:
        if (together := _together(item)) is not None:
            item.add_marker(pytest.mark.xdist_group(together))
    order = {name: place for place, name in enumerate(TOGETHER)}
    items.sort(key=lambda item: order.get(_together(item) or "", len(order)))


def _together(item: pytest.Item) -> str | None:
    """Kafka's as well: tests on one broker use the same topics and groups, and that of the environment is only one."""
    fixtures: list[str] = getattr(item, "fixturenames", [])
    if item.get_closest_marker("e2e"):
        return "systems"
    return "kafka" if {"kafka_servers", "servers"} & set(fixtures) else None


def _cannot_be_had(reason: str) -> None:
    """Skip on a developer's machine; on CI a test that did not run is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def _in_containers() -> bool:
    return os.environ.get("SPREADER_TEST_SERVERS") == "containers"


@pytest.fixture(scope="session")
def _workbench() -> Generator[Workbench]:
    with workbench() as bench:
        yield bench


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> Workbench:
    """`.kafka` and `.postgres`, started: a test may `kill()` (-9), `stop()` and `start()` them on their data and ports.

    Leave them running. The fixtures below give the same servers.
    """
    if KAFKA in os.environ or POSTGRES in os.environ or _in_containers():
        pytest.skip("this test kills its servers, and these were given by the environment")
    request.getfixturevalue("kafka_servers")
    request.getfixturevalue("_postgres_url")
    return request.getfixturevalue("_workbench")


@pytest.fixture(scope="session")
def kafka_servers(request: pytest.FixtureRequest) -> Generator[str]:
    """The bootstrap servers of a durable Kafka that has the topics."""
    with ExitStack() as stack:
        if KAFKA in os.environ:
            address = os.environ[KAFKA]
        elif _in_containers():
            from local.containers import kafka_container

            address = stack.enter_context(kafka_container())
        else:
            bench: Workbench = request.getfixturevalue("_workbench")
            try:
                bench.start_kafka()
            except Unavailable as reason:
                _cannot_be_had(f"needs a durable Kafka: {reason}")
            address = bench.kafka_servers
        blocking(create_topics(Settings(kafka_bootstrap_servers=address)))
        yield address


@pytest.fixture(scope="session")
def _postgres_url(request: pytest.FixtureRequest) -> Generator[str]:
    """A database of the server from which others are created."""
    with ExitStack() as stack:
        if POSTGRES in os.environ:
            yield os.environ[POSTGRES]
        elif _in_containers():
            from local.containers import postgres_container

            yield stack.enter_context(postgres_container())
        else:
            bench: Workbench = request.getfixturevalue("_workbench")
            bench.postgres.start()
            yield bench.postgres_url


@pytest.fixture(scope="session")
def tables(_postgres_url: str) -> Generator[Tables]:
    """`async with tables.of("stats") as engine`: that service's tables, migrated and empty."""
    tables = Tables(_postgres_url, f"tables_{uuid.uuid4().hex[:12]}")
    try:
        yield tables
    finally:
        for name in tables.databases:
            blocking(drop_database(_postgres_url, name))


@pytest.fixture(scope="session")
def promtool() -> Path:
    """Prometheus' own judge of rules."""
    try:
        return _promtool()
    except Unavailable as reason:
        _cannot_be_had(f"needs promtool: {reason}")
        raise


@pytest.fixture
def database_url(_postgres_url: str) -> Generator[str]:
    """A fresh, empty database of this test's own."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    blocking(create_database(_postgres_url, name))
    try:
        yield f"{_postgres_url.rpartition('/')[0]}/{name}"
    finally:
        blocking(drop_database(_postgres_url, name))


@pytest.fixture
def settings(kafka_servers: str, database_url: str) -> Settings:
    """What a service needs to reach the servers of this test."""
    return Settings(kafka_bootstrap_servers=kafka_servers, database_url=database_url)
