"""Jars: Apache Kafka as Maven gives it, and the class archive that makes it start in half the time."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from local.cache import cache_folder, once
from local.java import java
from local.unavailable import Unavailable, in_short

KAFKA_VERSION = "4.3.1"
POM = Path(__file__).parents[2] / "pom.xml"
_MAVEN_SECONDS = 600


def kafka_jars() -> Path:
    """The folder with Kafka's jars; fetched by Maven (44 MB) when they are not in the cache yet."""
    return once(f"kafka-{KAFKA_VERSION}", _fetch)


def archive_file(program: Path) -> Path:
    """Where the class archive of these jars for that Java is kept; it may not be there yet."""
    name = str(program.resolve()).strip("/").replace("/", "-")
    return cache_folder() / f"kafka-{KAFKA_VERSION}-{name}.jsa"


def _fetch(folder: Path) -> None:
    maven = _maven()
    print(f"fetching Apache Kafka {KAFKA_VERSION} with Maven (44 MB) ...", file=sys.stderr, flush=True)
    command = [maven, "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
    environment = {**os.environ, "JAVA_HOME": str(java().resolve().parents[1])}  # Maven brings none
    try:
        got = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_MAVEN_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"Maven did not fetch Kafka's jars within {_MAVEN_SECONDS} s: check the network.") from None
    if got.returncode != 0:
        raise Unavailable(f"Maven could not fetch Kafka's jars: {in_short(got.stdout + got.stderr)}")


def _maven() -> str:
    found = shutil.which("mvn") or _install_maven()
    if found is None:
        raise Unavailable(
            "Apache Kafka is fetched by Maven, which is not on the PATH: "
            "install it (Debian: `sudo apt-get install maven`)."
        )
    return found


def _install_maven() -> str | None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return None
    print("installing Maven with apt-get ...", file=sys.stderr, flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", "maven"]):
        subprocess.run(["apt-get", *arguments], env=environment, stdout=subprocess.DEVNULL, check=False)
    return shutil.which("mvn")
