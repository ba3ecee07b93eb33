"""Without a class archive, Kafka only starts more slowly."""

import os
import subprocess
import sys
from pathlib import Path

from local.downloads.kafka_jars import KAFKA_VERSION

JAVA_THAT_RUNS_NO_BROKER = """\
#!/bin/sh
case "$*" in
    -version) echo 'openjdk version "21.0.1"' >&2 ;;
    *StorageTool*) mkdir data.half ;;
    *) exit 1 ;;
esac
"""
PREPARE = "from local.servers.class_archive import prepare_kafka; prepare_kafka(seconds=0.2)"


def test_a_broker_that_cannot_be_archived_is_tried_once_and_is_not_an_error(tmp_path: Path) -> None:
    cache, java = tmp_path / "cache", tmp_path / "jdk" / "bin" / "java"
    (cache / f"kafka-{KAFKA_VERSION}").mkdir(parents=True)
    java.parent.mkdir(parents=True)
    java.write_text(JAVA_THAT_RUNS_NO_BROKER)
    java.chmod(0o755)
    environment = {**os.environ, "JAVA_HOME": str(tmp_path / "jdk"), "SPREADER_CACHE": str(cache)}
    errors: list[str] = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", PREPARE], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        errors.append(done.stderr)
    assert "continuing without" in errors[0]
    assert errors[1] == ""
    (archive,) = cache.glob("*.jsa")
    assert archive.stat().st_size == 0
    assert [entry for entry in cache.iterdir() if entry.name.startswith("spreader-archive-")] == []
