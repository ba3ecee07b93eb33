"""Kafka jars: Apache Kafka, as downloaded by Maven, and the path of its class archive."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from local.downloads.cache import cache_folder, cached_folder
from local.downloads.java import java
from local.unavailable import Unavailable, shorten

KAFKA_VERSION = "4.3.1"
POM = Path(__file__).parents[3] / "pom.xml"
_MAVEN_SECONDS = 600


def kafka_jars() -> Path:
    """The folder with Kafka's jars. If they are not in the cache, Maven downloads them (44 MB)."""
    return cached_folder(f"kafka-{KAFKA_VERSION}", _fetch)


def archive_file(program: Path) -> Path:
    """The path of the jars' class archive for this `java` executable. The file may not exist yet."""
    name = str(program.resolve()).strip("/").replace("/", "-")
    return cache_folder() / f"kafka-{KAFKA_VERSION}-{name}.jsa"


def _fetch(folder: Path) -> None:
    maven = _maven()
    print(f"downloading Apache Kafka {KAFKA_VERSION} with Maven (44 MB) ...", file=sys.stderr, flush=True)
    command = [maven, "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
    environment = {**os.environ, "JAVA_HOME": str(java().resolve().parents[1])}  # Maven has no Java of its own
    try:
        completed = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_MAVEN_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"Maven did not download Kafka within {_MAVEN_SECONDS} s. Check the network.") from None
    if completed.returncode != 0:
        raise Unavailable(f"Maven cannot download Kafka: {shorten(completed.stdout + completed.stderr)}")


def _maven() -> str:
    maven = shutil.which("mvn") or _install_maven()
    if maven is None:
        raise Unavailable(
            "Apache Kafka is downloaded by Maven, which is not on the PATH. "
            "Install it (Debian: `sudo apt-get install maven`)."
        )
    return maven


def _install_maven() -> str | None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return None
    print("installing Maven with apt-get ...", file=sys.stderr, flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", "maven"]):
        subprocess.run(["apt-get", *arguments], env=environment, stdout=subprocess.DEVNULL, check=False)
    return shutil.which("mvn")
