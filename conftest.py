"""Fixtures of all tests: Kafka and Postgres from the environment, as local processes, or in containers."""

import logging
import os
import uuid
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack
from pathlib import Path

import hypothesis
import pytest
import structlog

from local.process.server_process import run_blocking
from local.servers.postgres import create_database, drop_database
from local.testbed.databases import MigratedDatabases
from local.testbed.kustomize import kustomize as _kustomize
from local.testbed.promtool import promtool as _promtool
from local.testbed.workbench import Workbench, workbench
from local.unavailable import Unavailable
from spreader.kafka.topics import create_topics
from spreader.settings import Settings

hypothesis.settings.register_profile("spreader", deadline=None)  # machines are noisy: examples have no deadline
hypothesis.settings.load_profile("spreader")

pytest_plugins = ["figures"]

KAFKA = "SPREADER_KAFKA_BOOTSTRAP_SERVERS"
POSTGRES = "SPREADER_DATABASE_URL"

GROUPS = ("systems", "kafka")
"""Tests of a group run in one process, the longest group first. Two whole systems at once are too slow on two cores."""


def pytest_configure() -> None:
    """By default structlog renders exceptions with all variables, which blocks the event loop for seconds."""
    processors = [structlog.processors.add_log_level, structlog.processors.format_exc_info]
    structlog.configure(processors=[*processors, structlog.processors.KeyValueRenderer(key_order=["level", "event"])])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Generator[None, object, object]:
    """Restores how logs are written, because a test may start a service, which changes that for the whole process."""
    root, structlog_config = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers, root.level
    try:
        return (yield)
    finally:
        structlog.configure(**structlog_config)
        root.handlers, root.level = handlers, level


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that need fresh servers come first. With several processes (pytest-xdist): keep each group in one process,
    and start the longest group first."""
    items.sort(key=lambda item: item.get_closest_marker("fresh_servers") is None)
    if not hasattr(config, "workerinput"):
        return
    for item in items:
        if (group := _group(item)) is not None:
            item.add_marker(pytest.mark.xdist_group(group))
    order = {name: index for index, name in enumerate(GROUPS)}
    items.sort(key=lambda item: order.get(_group(item) or "", len(order)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Escapes half characters in captured output, because pytest-xdist cannot send them."""
    report = yield
    report.sections = [(name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections]
    return report


def _group(item: pytest.Item) -> str | None:
    """Tests with Kafka are a group because they share topics and consumer groups of one broker."""
    fixtures: list[str] = getattr(item, "fixturenames", [])
    if item.get_closest_marker("e2e"):
        return "systems"
    return "kafka" if {"kafka_servers", "servers"} & set(fixtures) else None


def _skip(reason: str) -> None:
    """Skip the test; on CI, fail it."""
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
    """Kafka and Postgres, started. A test may `kill()`, `stop()` and `start()` them; it must leave them running.

    The fixtures below use the same servers.
    """
    if KAFKA in os.environ or POSTGRES in os.environ or _in_containers():
        pytest.skip("this test kills its servers, but they are not local processes")
    request.getfixturevalue("kafka_servers")
    request.getfixturevalue("_postgres_url")
    return request.getfixturevalue("_workbench")


@pytest.fixture(scope="session")
def kafka_servers(request: pytest.FixtureRequest) -> Generator[str]:
    """The bootstrap servers of a durable Kafka with all topics."""
    with ExitStack() as stack:
        if KAFKA in os.environ:
            address = os.environ[KAFKA]
        elif _in_containers():
            from local.testbed.containers import kafka_container

            address = stack.enter_context(kafka_container())
        else:
            bench: Workbench = request.getfixturevalue("_workbench")
            try:
                bench.start_kafka()
            except Unavailable as reason:
                _skip(f"needs a durable Kafka: {reason}")
            address = bench.kafka_servers
        run_blocking(create_topics(Settings(kafka_bootstrap_servers=address)))
        yield address


@pytest.fixture(scope="session")
def _postgres_url(request: pytest.FixtureRequest) -> Generator[str]:
    """The URL of a database from which others can be created."""
    with ExitStack() as stack:
        if POSTGRES in os.environ:
            yield os.environ[POSTGRES]
        elif _in_containers():
            from local.testbed.containers import postgres_container

            yield stack.enter_context(postgres_container())
        else:
            bench: Workbench = request.getfixturevalue("_workbench")
            bench.postgres.start()
            yield bench.postgres_url


@pytest.fixture(scope="session")
def databases(_postgres_url: str) -> Generator[MigratedDatabases]:
    """`async with databases.of("stats") as engine`: the schema of that service, migrated and empty."""
    databases = MigratedDatabases(_postgres_url, f"tables_{uuid.uuid4().hex[:12]}")
    try:
        yield databases
    finally:
        for name in databases.names:
            run_blocking(drop_database(_postgres_url, name))


@pytest.fixture(scope="session")
def promtool() -> Path:
    """Prometheus' checker of alert rules."""
    try:
        return _promtool()
    except Unavailable as reason:
        _skip(f"needs promtool: {reason}")
        raise


@pytest.fixture(scope="session")
def skip() -> Callable[[str], None]:
    """Skips the test for a reason. On CI, fails it."""
    return _skip


@pytest.fixture(scope="session")
def kustomize() -> Sequence[str]:
    """The command that renders manifests of Kubernetes."""
    try:
        return _kustomize()
    except Unavailable as reason:
        _skip(f"needs kustomize: {reason}")
        raise


@pytest.fixture
def database_url(_postgres_url: str) -> Generator[str]:
    """A new, empty database for one test."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    run_blocking(create_database(_postgres_url, name))
    try:
        yield f"{_postgres_url.rpartition('/')[0]}/{name}"
    finally:
        run_blocking(drop_database(_postgres_url, name))


@pytest.fixture
def settings(kafka_servers: str, database_url: str) -> Settings:
    """Settings with the addresses of this test's servers."""
    return Settings(kafka_bootstrap_servers=kafka_servers, database_url=database_url)
