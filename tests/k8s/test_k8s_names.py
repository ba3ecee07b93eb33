"""Names: every setting, port, address and label of the manifests exists in the code, and in the other manifests."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from docs.settings import SECTIONS
from docs.sources import SERVICES
from k8s.overlays import OVERLAYS, Manifest, containers, label, named, of_kind, pods
from pydantic import create_model

from sender.settings import SenderSettings
from spreader.contract.access import ACCESS

OTHERS = {"DATABASE_ADDRESS"}
"""Variables that only other variables of the same container use."""


@pytest.fixture(scope="module", autouse=True)
def _with_kustomize(kustomize: Sequence[str]) -> None:
    """Skips these tests where manifests cannot be rendered."""


def services_of(overlay: str) -> Iterator[tuple[str, Manifest, Manifest]]:
    """Each Deployment of a service: the service, the pod template, and its only container."""
    for deployment in of_kind(overlay, "Deployment"):
        pod = deployment["spec"]["template"]
        (container,) = pod["spec"]["containers"]
        yield container["name"], pod, container


def environment(overlay: str, container: Manifest) -> dict[str, str]:
    """The variables of a container; those from Secrets without their values."""
    maps = named(overlay, "ConfigMap")
    found: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        if "configMapRef" in source:
            found |= {name: value or "" for name, value in maps[source["configMapRef"]["name"]]["data"].items()}
    for each in container.get("env", ()):
        origin = each.get("valueFrom", {}).get("configMapKeyRef")
        found[each["name"]] = maps[origin["name"]]["data"][origin["key"]] if origin else each.get("value", "")
    return found


def fields(service: str) -> Mapping[str, Any]:
    return {f"SPREADER_{name.upper()}": field for name, field in SECTIONS[service].model_fields.items()}


def port(service: str) -> int:
    return SECTIONS[service].model_fields[f"{service}_port"].default


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_service_gets_only_settings_that_it_has_with_values_that_it_takes(overlay: str) -> None:
    for service, _, container in services_of(overlay):
        known = fields(service)
        for name, value in environment(overlay, container).items():
            if name in OTHERS:
                continue
            assert name in known, f"{service} has no setting {name}"
            if value:  # an empty variable counts as not set; one from a Secret has no value here
                field = known[name]
                create_model("Setting", value=(field.annotation, field)).model_validate({"value": value})


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_service_gets_every_address_whose_default_is_its_own_machine(overlay: str) -> None:
    for service, _, container in services_of(overlay):
        local = {name for name, field in fields(service).items() if "127.0.0.1" in str(field.default)}
        if service not in ACCESS:
            local -= {"SPREADER_KAFKA_BOOTSTRAP_SERVERS", "SPREADER_DATABASE_URL"}
        assert local <= set(environment(overlay, container)), service


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_service_runs_with_its_secrets(overlay: str) -> None:
    """Secrets are always references, and services that must have the same secret have the same reference."""
    wanted = {
        "SPREADER_API_KEY": ("api-key", {"ingress", "stats"}),
        "SPREADER_INTERNAL_TOKEN": ("internal-token", set(ACCESS)),
        "SPREADER_SECRET_KEYS": ("secret-keys", {"ingress", "sender"}),
        "SPREADER_CONSOLE_SECRET": ("console-secret", {"console"}),
    }
    for service, _, container in services_of(overlay):
        given = {each["name"]: each.get("valueFrom", {}).get("secretKeyRef") for each in container.get("env", ())}
        for name, (key, users) in wanted.items():
            assert (name in given) == (service in users), f"{service}: {name}"
            if service in users:
                assert given[name]["key"] == key
                assert given[name]["name"].startswith("spreader")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_file_that_a_setting_names_is_mounted(overlay: str) -> None:
    for name, pod in pods(overlay).items():
        volumes = {each["name"]: each for each in pod["spec"]["volumes"]}
        for container in containers(pod):
            mounts = {each["mountPath"]: volumes[each["name"]] for each in container["volumeMounts"]}
            files = {
                variable: value
                for variable, value in environment(overlay, container).items()
                if variable.endswith("_FILE")
            }
            assert bool(files) == (container["name"] not in {"console", "simulator"})
            for variable, value in files.items():
                folder, _, file = value.rpartition("/")
                secret = mounts[folder]["secret"]
                keys = {item["path"] for item in secret.get("items", ())} or {file}
                assert file in keys, f"{name}: {variable}"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_service_uses_its_own_user_in_kafka_and_in_postgres(overlay: str) -> None:
    for service, pod, container in services_of(overlay):
        if service in ACCESS:
            volumes = {each["name"]: each.get("secret") for each in pod["spec"]["volumes"]}
            assert volumes["kafka"]["secretName"] == f"kafka-{service}"
            assert volumes["database"]["secretName"] == f"database-{service}"
            url = environment(overlay, container)["SPREADER_DATABASE_URL"]
            assert url == f"postgresql://spreader_{service}@$(DATABASE_ADDRESS)"
            names = [each["name"] for each in container["env"]]
            assert names.index("DATABASE_ADDRESS") < names.index("SPREADER_DATABASE_URL")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_service_listens_where_the_others_call_it(overlay: str) -> None:
    for service, _, container in services_of(overlay):
        assert container["ports"] == [{"name": "http", "containerPort": port(service), "protocol": "TCP"}] or container[
            "ports"
        ] == [{"name": "http", "containerPort": port(service)}]
        for variable, value in environment(overlay, container).items():
            for host, number in re.findall(r"^http://([a-z]+):(\d+)", value):
                assert host in SERVICES, variable
                assert int(number) == port(host), variable
    for name, each in named(overlay, "Service").items():
        assert each["spec"]["ports"] == [{"name": "http", "port": port(name), "targetPort": "http"}]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_selectors_choose_the_pods_that_they_mean(overlay: str) -> None:
    templates = pods(overlay)

    def chosen(selector: Mapping[str, str]) -> set[str]:
        return {name for name, pod in templates.items() if selector.items() <= pod["metadata"]["labels"].items()}

    for name, each in named(overlay, "Deployment").items():
        assert chosen(each["spec"]["selector"]["matchLabels"]) == {name}
    for name, each in named(overlay, "Service").items():
        found = chosen(each["spec"]["selector"])
        assert found == {pod for pod in templates if label(templates[pod], "name") == name} != set()
    for name, each in named(overlay, "PodDisruptionBudget").items():
        assert chosen(each["spec"]["selector"]["matchLabels"]) == {name}
    if overlay != "dev":
        assert named(overlay, "PodDisruptionBudget").keys() == named(overlay, "Deployment").keys()


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_each_lane_has_its_senders(overlay: str) -> None:
    lanes = {
        name: environment(overlay, containers(pod)[0]).get("SPREADER_SENDER_LANES")
        for name, pod in pods(overlay).items()
        if label(pod, "name") == "sender"
    }
    assert lanes == {"sender-reply": "reply", "sender-open": "open"}
    assert {lane for each in ("reply", "open") for lane in SenderSettings(sender_lanes=each).carried_lanes} == {
        "reply",
        "open",
    }


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_way_in_leads_to_services(overlay: str) -> None:
    (way_in,) = of_kind(overlay, "Ingress")
    services = named(overlay, "Service")
    led_to = [path["backend"]["service"] for rule in way_in["spec"]["rules"] for path in rule["http"]["paths"]]
    assert {each["name"] for each in led_to} == {"ingress", "stats", "console"}
    for each in led_to:
        assert each["port"]["name"] in {exposed["name"] for exposed in services[each["name"]]["spec"]["ports"]}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_claim_of_a_volume_exists(overlay: str) -> None:
    claims = {
        volume["persistentVolumeClaim"]["claimName"]
        for pod in pods(overlay).values()
        for volume in pod["spec"]["volumes"]
        if "persistentVolumeClaim" in volume
    }
    assert claims == set(named(overlay, "PersistentVolumeClaim"))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_ingress_and_the_senders_share_the_media_store(overlay: str) -> None:
    users = [(pod, each) for service, pod, each in services_of(overlay) if service in {"ingress", "sender"}]
    stores = {environment(overlay, container)["SPREADER_MEDIA_STORE"] for _, container in users}
    (store,) = stores
    if store.startswith("file:"):
        for _, container in users:
            assert store.removeprefix("file:") in {each["mountPath"] for each in container["volumeMounts"]}
    else:
        assert store.startswith("s3://")
