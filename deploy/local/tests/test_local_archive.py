"""Kafka that cannot be prepared for a quick start is only slower."""

import os
import subprocess
import sys
from pathlib import Path

from local.jars import KAFKA_VERSION

JAVA_THAT_RUNS_NO_BROKER = """\
#!/bin/sh
case "$*" in
    -version) echo 'openjdk version "21.0.1"' >&2 ;;
    *StorageTool*) mkdir data.half ;;
    *) exit 1 ;;
esac
"""
FETCH = "from local.archive import fetch_kafka; fetch_kafka(seconds=0.2)"


def test_a_broker_that_does_not_start_for_it_is_tried_once_and_no_reason_to_end(tmp_path: Path) -> None:
    cache, java = tmp_path / "cache", tmp_path / "jdk" / "bin" / "java"
    (cache / f"kafka-{KAFKA_VERSION}").mkdir(parents=True)
    java.parent.mkdir(parents=True)
    java.write_text(JAVA_THAT_RUNS_NO_BROKER)
    java.chmod(0o755)
    environment = {**os.environ, "JAVA_HOME": str(tmp_path / "jdk"), "SPREADER_CACHE": str(cache)}
    said: list[str] = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", FETCH], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        said.append(done.stderr)
    assert "it only starts more slowly" in said[0]
    assert said[1] == ""
    (archive,) = cache.glob("*.jsa")
    assert archive.stat().st_size == 0
    assert [each for each in cache.iterdir() if each.name.startswith("spreader-archive-")] == []
