"""Compose: the containers match the settings, ports and metrics of their services. Needs no Docker engine."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from deploy.grafana.panels import SOURCE

from spreader.settings import Settings

ROOT = Path(__file__).parent.parent
SERVICES = sorted(path.name for path in (ROOT / "services").iterdir() if (path / "pyproject.toml").exists())
CLOCK_SETTINGS = {"SPREADER_CLOCK", "SPREADER_CLOCK_SPEED"}

Tree = Mapping[str, Any]


def read(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


@pytest.fixture(scope="module")
def compose() -> Tree:
    return read("docker-compose.yml")["services"]


def settings_of(service: str) -> type[Settings]:
    module = import_module(f"{service}.settings")
    return next(
        kind
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Settings) and kind.__module__ == module.__name__
    )


def variables(service: str) -> set[str]:
    return {f"SPREADER_{name.upper()}" for name in settings_of(service).model_fields} | CLOCK_SETTINGS


def default_port(service: str) -> int:
    return settings_of(service).model_fields[f"{service}_port"].default


def docker_has_compose() -> bool:
    """Whether docker has the compose plugin, which is optional. Reading a file needs no engine."""
    docker = shutil.which("docker")
    return docker is not None and subprocess.run([docker, "compose", "version"], capture_output=True).returncode == 0


def test_compose_accepts_the_file() -> None:
    if not docker_has_compose():
        pytest.skip("no docker with compose on this machine")
    environment = {**os.environ, "SPREADER_API_KEY": "of-this-test", "SPREADER_INTERNAL_TOKEN": "of-this-test"}
    result = subprocess.run(
        ["docker", "compose", "config", "-q"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr


def test_postgres_is_healthy_only_after_the_image_has_prepared_it(compose: Tree) -> None:
    """While the image creates the database, the server listens only on a Unix socket; then it restarts."""
    _, command = compose["postgres"]["healthcheck"]["test"]
    assert "--host 127.0.0.1" in command


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_runs_on_its_own_port_which_only_this_machine_reaches(compose: Tree, service: str) -> None:
    port = default_port(service)
    assert compose[service]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert compose[service]["build"]["args"] == {"SERVICE": service, "PORT": port}


def test_no_port_is_open_to_other_machines(compose: Tree) -> None:
    assert all(port.startswith("127.0.0.1:") for each in compose.values() for port in each.get("ports", ()))


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_gets_only_settings_that_it_has(compose: Tree, service: str) -> None:
    given = {name for name in compose[service]["environment"] if name.startswith("SPREADER_")}
    assert given <= variables(service), f"{service} has no such setting: {sorted(given - variables(service))}"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_gets_every_address_whose_default_is_its_own_machine(compose: Tree, service: str) -> None:
    local = {
        f"SPREADER_{name.upper()}"
        for name, field in settings_of(service).model_fields.items()
        if isinstance(field.default, str) and "127.0.0.1:" in field.default
    }
    if service in {"console", "simulator"}:  # they use only HTTP
        local -= {"SPREADER_KAFKA_BOOTSTRAP_SERVERS", "SPREADER_DATABASE_URL"}
    assert local <= set(compose[service]["environment"])


def test_all_services_that_call_each_other_have_the_same_token(compose: Tree) -> None:
    tokens = {
        compose[name]["environment"]["SPREADER_INTERNAL_TOKEN"] for name in ("ingress", "router", "pacer", "sender")
    }
    assert len(tokens) == 1
    assert all(tokens)


def test_ingress_and_sender_share_the_media_store_and_the_keys(compose: Tree) -> None:
    for name in ("SPREADER_MEDIA_STORE", "SPREADER_SECRET_KEYS"):
        assert compose["ingress"]["environment"][name] == compose["sender"]["environment"][name]
    folder = compose["ingress"]["environment"]["SPREADER_MEDIA_STORE"].removeprefix("file:")
    for service in ("ingress", "sender"):
        assert any(folder.startswith(mount.split(":")[1]) for mount in compose[service]["volumes"])


@pytest.mark.parametrize("service", SERVICES)
def test_an_address_names_a_container_and_the_port_it_listens_on(compose: Tree, service: str) -> None:
    listening = {name: str(default_port(name)) for name in SERVICES} | {"kafka": "19092", "postgres": "5432"}
    for value in compose[service]["environment"].values():
        for host, port in re.findall(r"(?:^|//|@)([a-z]+):(\d+)", value):
            assert listening[host] == port


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_can_change_only_its_data(compose: Tree, service: str) -> None:
    container = compose[service]
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]


def test_services_start_when_their_servers_are_healthy_and_the_topics_exist(compose: Tree) -> None:
    for service in {*SERVICES} - {"console", "simulator"}:
        assert compose[service]["depends_on"] == {
            "kafka": {"condition": "service_healthy"},
            "postgres": {"condition": "service_healthy"},
            "topics": {"condition": "service_completed_successfully"},
        }
    assert {"healthcheck"} <= compose["kafka"].keys() & compose["postgres"].keys()


def test_all_data_is_on_declared_volumes(compose: Tree) -> None:
    declared = read("docker-compose.yml")["volumes"]
    mounts = [mount.split(":") for each in compose.values() for mount in each.get("volumes", ())]
    assert {source for source, *_ in mounts if not source.startswith(".")} == set(declared)
    assert all((ROOT / source).exists() for source, *_ in mounts if source.startswith("."))
    assert ["kafka", compose["kafka"]["environment"]["KAFKA_LOG_DIRS"]] in mounts
    assert ["postgres", "/var/lib/postgresql"] in mounts


def test_every_image_is_pinned_and_kafka_is_the_one_that_make_up_runs(compose: Tree) -> None:
    images = {name: each["image"] for name, each in compose.items() if "image" in each}
    assert all(re.search(r":v?\d", image) for image in images.values())
    jar = re.search(
        r"<artifactId>kafka_2\.13</artifactId><version>([\d.]+)<", (ROOT / "deploy/local/pom.xml").read_text()
    )
    assert jar is not None
    assert images["kafka"] == f"apache/kafka:{jar[1]}"


def test_the_api_key_has_no_default(compose: Tree) -> None:
    keys = [each["environment"]["SPREADER_API_KEY"] for each in compose.values() if "SPREADER_API_KEY" in str(each)]
    assert len(keys) == 2
    assert all(key.startswith("${SPREADER_API_KEY:?") for key in keys)


def test_prometheus_scrapes_every_service() -> None:
    jobs = {
        job["job_name"]: job["static_configs"] for job in read("deploy/prometheus/prometheus.yml")["scrape_configs"]
    }
    assert jobs == {service: [{"targets": [f"{service}:{default_port(service)}"]}] for service in SERVICES}


def test_grafana_opens_with_an_existing_dashboard(compose: Tree) -> None:
    home = compose["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (ROOT / "deploy/grafana/dashboards" / home.rpartition("/")[2]).exists()


def test_the_dashboards_use_the_provisioned_source() -> None:
    (source,) = read("deploy/grafana/provisioning/datasources/prometheus.yml")["datasources"]
    assert source["uid"] == SOURCE.uid


def test_the_image_builds_the_locked_workspace_and_runs_unprivileged() -> None:
    dockerfile = (ROOT / "deploy/docker/Dockerfile").read_text()
    assert "uv sync --locked --no-dev --no-editable" in dockerfile
    assert re.search(r"^USER \d+$", dockerfile, re.MULTILINE)
    copied = {
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", dockerfile, re.MULTILINE)
        for source in line.split()[:-1]
    }
    members = {"libs", "services", "deploy/local", "pyproject.toml", "uv.lock"}
    assert copied == members
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert allowed == members
