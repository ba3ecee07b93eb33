"""`make up` with settings that it cannot use: it prints one line, exits with 1, and leaves nothing running."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from local.process.ports import free_port
from local.servers.local_servers import LocalServers
from local.services import CATALOGUE
from local.settings import LocalSettings
from local.testbed.workbench import Workbench
from local.unavailable import Unavailable

pytestmark = pytest.mark.timeout(120)

TOO_FAST = "Invalid setting: SPREADER_CLOCK_SPEED: Input should be less than or equal to 100000."


def run_command(command: str, home: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("SPREADER_")},
        "SPREADER_HOME": str(home),
        **{service.port_setting: str(free_port()) for service in CATALOGUE},
        **{f"SPREADER_{name.upper()}": value for name, value in settings.items()},
    }
    return subprocess.run(
        [sys.executable, "-m", "local", command], env=environment, capture_output=True, text=True, check=False
    )


def running_in(home: Path) -> list[psutil.Process]:
    return [process for process in psutil.process_iter(["cmdline"]) if str(home) in str(process.info["cmdline"])]


@pytest.mark.parametrize("command", ["up", "demo"])
@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"clock_speed": "200000"}, TOO_FAST),
        ({"clock_speed": "nan"}, "SPREADER_CLOCK_SPEED: Input should be"),
        ({"clock": "x"}, "Invalid setting: SPREADER_CLOCK is 'x'; it must look like 600@<wall>=<system>"),
        ({"kafka_port": "70000"}, "SPREADER_KAFKA_PORT: Input should be less than 65536"),
    ],
    ids=["too fast", "no number", "no clock", "no port"],
)
def test_an_invalid_setting_is_named(command: str, settings: dict[str, str], error: str, tmp_path: Path) -> None:
    ended = run_command(command, tmp_path / "home", **settings)
    assert (ended.returncode, ended.stderr) == (1, "")
    assert len(ended.stdout.splitlines()) == 1, ended.stdout
    assert error in ended.stdout
    assert not (tmp_path / "home").exists()


def test_an_invalid_setting_of_the_services_is_reported_before_anything_starts(tmp_path: Path) -> None:
    ended = run_command("up", tmp_path / "home", log_level="LOUD")
    assert (ended.returncode, ended.stderr) == (1, "")
    assert len(ended.stdout.splitlines()) == 1, ended.stdout
    assert "SPREADER_LOG_LEVEL" in ended.stdout


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.0.0.1:x", "127.0.0.1:99999"])
def test_a_kafka_that_does_not_answer_is_named_and_nothing_keeps_running(address: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    ended = run_command("up", home, kafka_bootstrap_servers=address)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stdout + ended.stderr
    assert f"Cannot create topics in Kafka at {address}" in ended.stdout.splitlines()[-1]
    assert "unset SPREADER_KAFKA_BOOTSTRAP_SERVERS" in ended.stdout.splitlines()[-1]
    assert (home / "postgres" / "PG_VERSION").exists(), "the test proves nothing when nothing was started"
    assert not (home / "running.json").exists()
    assert running_in(home) == []


@pytest.mark.parametrize("address", ["127.0.0.1:1/spreader", "127.0.0.1:x/spreader", "no database"])
def test_a_database_that_refuses_connections_is_named_and_nothing_keeps_running(
    address: str, servers: Workbench, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    if address == "no database":
        address = servers.postgres_url.rpartition("@")[2].replace("/postgres", "/not_there")
    ended = run_command("up", home, local_broker="memory", database_url=f"postgresql://postgres:secret@{address}")
    assert ended.returncode == 1
    assert "Traceback" not in ended.stdout + ended.stderr
    assert f"Cannot connect to Postgres at {address}" in ended.stdout.splitlines()[-1]
    assert "unset SPREADER_DATABASE_URL" in ended.stdout.splitlines()[-1]
    assert "secret" not in ended.stdout + ended.stderr
    assert running_in(home) == []


async def test_the_database_is_checked_with_the_address_that_the_services_use(servers: Workbench) -> None:
    url = servers.postgres_url.replace("postgresql:", "postgresql+asyncpg:")
    local_servers = LocalServers(None, None, servers.kafka_servers, url)
    await local_servers.create_topics_and_database()
    with pytest.raises(Unavailable, match=r"Cannot connect to Postgres at .*/missing"):
        await replace(local_servers, database_url=f"{url.rpartition('/')[0]}/missing").create_topics_and_database()


def test_an_empty_setting_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in LocalSettings.model_fields:
        monkeypatch.delenv(f"SPREADER_{name.upper()}", raising=False)
    unset = LocalSettings()
    for name in LocalSettings.model_fields:
        monkeypatch.setenv(f"SPREADER_{name.upper()}", "")
    assert LocalSettings() == unset
