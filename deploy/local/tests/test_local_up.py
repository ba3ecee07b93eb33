"""What `make up` is told and cannot do: it says so in one sentence, ends with 1, and leaves nothing running."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from local.ports import free_port
from local.servers import Servers
from local.services import CATALOGUE
from local.settings import LocalSettings
from local.unavailable import Unavailable
from local.workbench import Workbench

pytestmark = pytest.mark.timeout(120)

FAST_BEYOND_BOUNDS = "A setting cannot be used: SPREADER_CLOCK_SPEED: Input should be less than or equal to 100000."


def told_to(word: str, home: Path, **told: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("SPREADER_")},
        "SPREADER_HOME": str(home),
        **{service.port_setting: str(free_port()) for service in CATALOGUE},
        **{f"SPREADER_{name.upper()}": value for name, value in told.items()},
    }
    return subprocess.run(
        [sys.executable, "-m", "local", word], env=environment, capture_output=True, text=True, check=False
    )


def running_in(home: Path) -> list[psutil.Process]:
    return [process for process in psutil.process_iter(["cmdline"]) if str(home) in str(process.info["cmdline"])]


@pytest.mark.parametrize("word", ["up", "demo"])
@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ({"clock_speed": "200000"}, FAST_BEYOND_BOUNDS),
        ({"clock_speed": "nan"}, "SPREADER_CLOCK_SPEED: Input should be"),
        ({"clock": "x"}, "A setting cannot be used: SPREADER_CLOCK is 'x'; it must look like 600@<wall>=<system>"),
        ({"kafka_port": "70000"}, "SPREADER_KAFKA_PORT: Input should be less than 65536"),
    ],
    ids=["too fast", "no number", "no clock", "no port"],
)
def test_a_setting_that_cannot_be_used_is_named(word: str, told: dict[str, str], sentence: str, tmp_path: Path) -> None:
    ended = told_to(word, tmp_path / "home", **told)
    assert (ended.returncode, ended.stderr) == (1, "")
    assert len(ended.stdout.splitlines()) == 1, ended.stdout
    assert sentence in ended.stdout
    assert not (tmp_path / "home").exists()


def test_a_setting_of_the_services_is_refused_before_anything_starts(tmp_path: Path) -> None:
    ended = told_to("up", tmp_path / "home", log_level="LOUD")
    assert (ended.returncode, ended.stderr) == (1, "")
    assert len(ended.stdout.splitlines()) == 1, ended.stdout
    assert "SPREADER_LOG_LEVEL" in ended.stdout


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.0.0.1:x", "127.0.0.1:99999"])
def test_a_kafka_that_does_not_answer_is_named_and_nothing_is_left_running(address: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    ended = told_to("up", home, kafka_bootstrap_servers=address)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stdout + ended.stderr
    assert f"Kafka at {address} takes no topics" in ended.stdout.splitlines()[-1]
    assert "leave SPREADER_KAFKA_BOOTSTRAP_SERVERS out" in ended.stdout.splitlines()[-1]
    assert (home / "postgres" / "PG_VERSION").exists(), "the test shows nothing when nothing was started"
    assert not (home / "running.json").exists()
    assert running_in(home) == []


@pytest.mark.parametrize("place", ["127.0.0.1:1/spreader", "127.0.0.1:x/spreader", "no database"])
def test_a_database_that_lets_nobody_in_is_named_and_nothing_is_left_running(
    place: str, servers: Workbench, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    if place == "no database":
        place = servers.postgres_url.rpartition("@")[2].replace("/postgres", "/not_there")
    ended = told_to("up", home, local_broker="memory", database_url=f"postgresql://postgres:secret@{place}")
    assert ended.returncode == 1
    assert "Traceback" not in ended.stdout + ended.stderr
    assert f"Postgres at {place} lets nobody in" in ended.stdout.splitlines()[-1]
    assert "leave SPREADER_DATABASE_URL out" in ended.stdout.splitlines()[-1]
    assert "secret" not in ended.stdout + ended.stderr
    assert running_in(home) == []


async def test_a_database_is_greeted_by_the_address_that_the_services_take(servers: Workbench) -> None:
    url = servers.postgres_url.replace("postgresql:", "postgresql+asyncpg:")
    given = Servers(None, None, servers.kafka_servers, url)
    await given.furnish()
    with pytest.raises(Unavailable, match=r"Postgres at .*/nobody lets nobody in"):
        await replace(given, database_url=f"{url.rpartition('/')[0]}/nobody").furnish()


def test_an_empty_setting_is_as_if_it_were_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in LocalSettings.model_fields:
        monkeypatch.delenv(f"SPREADER_{name.upper()}", raising=False)
    unset = LocalSettings()
    for name in LocalSettings.model_fields:
        monkeypatch.setenv(f"SPREADER_{name.upper()}", "")
    assert LocalSettings() == unset
