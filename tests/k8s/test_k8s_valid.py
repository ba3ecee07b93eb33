"""Manifests: every overlay is valid, strictly, for Kubernetes and for the operators; a broken manifest is refused."""

import copy
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from k8s.crds import faults, kind_of, known_kinds
from k8s.overlays import FOLDER, OVERLAYS, ROOT, Manifest, containers, of_kind, pods, render, rendered

from local.testbed.kustomize import version_of
from spreader.runtime.service import EXIT_SECONDS

OLDEST, NEWEST = "1.30", "1.37"
"""The versions of Kubernetes for which the manifests are checked."""
OF_KUBERNETES = re.compile(r"(v1|apps/v1|batch/v1|policy/v1|[a-z.]+[.]k8s[.]io/v1)/")
QUANTITY = re.compile(r"^\d+(\.\d+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$")
CRDS = known_kinds()


def complaints(manifest: Manifest) -> list[str]:
    """What a server would refuse in the manifest."""
    kind = kind_of(manifest)
    if not OF_KUBERNETES.match(kind):
        return list(faults(manifest, CRDS[kind])) if kind in CRDS else [f"the fixture of CRDs has no {kind}"]
    found: list[str] = []
    for version in (OLDEST, NEWEST):
        try:
            kubernetes_validate.validate(dict(manifest), version, strict=True)
        except kubernetes_validate.ValidationError as error:
            found.append(f"{kind} {manifest['metadata']['name']} in {version}: {error.message}")
    return found


@pytest.fixture(scope="module", autouse=True)
def _with_kustomize(kustomize: Sequence[str]) -> None:
    """Skips these tests where manifests cannot be rendered."""


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_manifest_is_valid(overlay: str) -> None:
    assert [fault for manifest in rendered(overlay) for fault in complaints(manifest)] == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_overlay_has_one_command_and_every_name_once(overlay: str) -> None:
    assert (FOLDER / overlay / "kustomization.yaml").exists()
    names = Counter((kind_of(each), each["metadata"]["name"]) for each in rendered(overlay))
    assert [name for name, count in names.items() if count > 1] == []
    cluster_wide = {"Namespace", "PriorityClass"}
    assert {each["metadata"].get("namespace") for each in rendered(overlay) if each["kind"] not in cluster_wide} == {
        "spreader"
    }


Break = Callable[[Any], None]


def _unknown_field(manifest: Any) -> None:
    manifest["spec"]["replicaz"] = 2


def _wrong_type(manifest: Any) -> None:
    manifest["spec"] = {**manifest["spec"], next(iter(manifest["spec"])): 1.5}


def _nested_unknown(manifest: Any) -> None:
    inner = next(value for value in manifest["spec"].values() if isinstance(value, dict))
    inner["retires"] = 1


def _without_spec(manifest: Any) -> None:
    manifest["spec"] = {}


BROKEN: list[tuple[str, Break]] = [
    ("Deployment", _unknown_field),
    ("Deployment", _nested_unknown),
    ("Deployment", _without_spec),
    ("Job", _unknown_field),
    ("NetworkPolicy", _unknown_field),
    ("PodDisruptionBudget", _unknown_field),
    ("Ingress", _unknown_field),
    ("Kafka", _unknown_field),
    ("Kafka", _nested_unknown),
    ("KafkaNodePool", _unknown_field),
    ("KafkaNodePool", _without_spec),
    ("KafkaTopic", _unknown_field),
    ("KafkaTopic", _wrong_type),
    ("KafkaUser", _nested_unknown),
    ("Cluster", _unknown_field),
    ("Cluster", _wrong_type),
    ("ScheduledBackup", _unknown_field),
    ("ScaledObject", _unknown_field),
    ("ScaledObject", _nested_unknown),
    ("PodMonitor", _without_spec),
    ("PrometheusRule", _wrong_type),
]


@pytest.mark.parametrize(("kind", "damage"), BROKEN)
def test_a_broken_manifest_is_refused(kind: str, damage: Break) -> None:
    """So the checks above can fail for each kind."""
    manifest = copy.deepcopy(next(of_kind("prod", kind)))
    assert complaints(manifest) == []
    damage(manifest)
    assert complaints(manifest)


def test_a_kind_that_the_fixture_does_not_know_is_refused() -> None:
    assert complaints({"apiVersion": "kafka.strimzi.io/v1beta2", "kind": "Kafka", "metadata": {"name": "old"}})


def test_kustomize_refuses_a_patch_without_a_target(tmp_path: Path) -> None:
    """So a patch of an overlay that no longer meets its manifest cannot be overlooked."""
    (tmp_path / "patch.yaml").write_text("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: nobody}\n")
    (tmp_path / "kustomization.yaml").write_text("patches: [{path: patch.yaml}]\n")
    with pytest.raises(AssertionError, match="nobody"):
        render(tmp_path)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_variable_port_volume_or_mount_is_there_twice(overlay: str) -> None:
    for name, pod in pods(overlay).items():
        assert len({port["name"] for each in containers(pod) for port in each.get("ports", ())}) <= 1
        volumes = [volume["name"] for volume in pod["spec"]["volumes"]]
        assert len(volumes) == len(set(volumes)), name
        for container in containers(pod):
            for field, key in (("env", "name"), ("volumeMounts", "mountPath"), ("ports", "containerPort")):
                values = [each[key] for each in container.get(field, ())]
                assert len(values) == len(set(values)), f"{name}: {field}"
            assert {mount["name"] for mount in container["volumeMounts"]} <= set(volumes)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_pod_is_restricted_and_can_write_only_its_data(overlay: str) -> None:
    for name, pod in pods(overlay).items():
        spec = pod["spec"]
        context = spec["securityContext"]
        assert context["runAsNonRoot"] is True, name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False, f"{name}: Kubernetes would set variables such as ROUTER_PORT"
        for container in containers(pod):
            of_container = container["securityContext"]
            assert of_container["readOnlyRootFilesystem"] is True
            assert of_container["allowPrivilegeEscalation"] is False
            assert of_container["capabilities"] == {"drop": ["ALL"]}
            assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_container_has_a_fixed_amount_of_memory_and_no_limit_of_processor_time(overlay: str) -> None:
    for pod in pods(overlay).values():
        for container in containers(pod):
            resources = container["resources"]
            assert resources["limits"] == {"memory": resources["requests"]["memory"]}
            assert all(QUANTITY.match(str(value)) for value in resources["requests"].values())


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_replies_come_before_bulk(overlay: str) -> None:
    values = {each["metadata"]["name"]: each["value"] for each in of_kind(overlay, "PriorityClass")}
    assert values["spreader-data"] > values["spreader-replies"] > values["spreader-bulk"]
    classes = {name: pod["spec"]["priorityClassName"] for name, pod in pods(overlay).items()}
    replies = {name for name, each in classes.items() if each == "spreader-replies"}
    assert replies == {"ingress", "router", "sender-reply", "prepare"}
    assert set(classes.values()) == {"spreader-replies", "spreader-bulk"}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_secret_is_named_and_only_trials_have_their_own(overlay: str) -> None:
    secrets = list(of_kind(overlay, "Secret"))
    assert bool(secrets) == (overlay == "dev")
    sensitive = re.compile(r"(API_KEY|_TOKEN|SECRET|PASSWORD)(?!_FILE)")
    given: Mapping[str, Any] = {
        name: value for each in of_kind(overlay, "ConfigMap") for name, value in each.get("data", {}).items()
    }
    assert [name for name in given if sensitive.search(name)] == []
    for pod in pods(overlay).values():
        for container in containers(pod):
            assert [
                each for each in container.get("env", ()) if sensitive.search(each["name"]) and "value" in each
            ] == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_pod_has_time_to_stop(overlay: str) -> None:
    """The pause before the signal, and then what a process takes at most (spreader.runtime.service.EXIT_SECONDS)."""
    for each in of_kind(overlay, "Deployment"):
        spec = each["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert spec["terminationGracePeriodSeconds"] >= pause + EXIT_SECONDS + 5
        assert container["livenessProbe"]["httpGet"]["path"] == "/health/live"
        assert {container[probe]["httpGet"]["path"] for probe in ("startupProbe", "readinessProbe")} == {
            "/health/ready"
        }


def test_images_are_named_by_every_overlay() -> None:
    for overlay in OVERLAYS:
        images = {container["image"] for pod in pods(overlay).values() for container in containers(pod)}
        assert all(re.search(r":[\w.]+$", image) for image in images), images
        services = {image.rpartition("/")[2].partition(":")[0] for image in images}
        folders = {path.parent.name for path in (ROOT / "services").glob("*/pyproject.toml")}
        assert services == folders - (set() if overlay == "dev" else {"simulator"})


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ('{"clientVersion": {"gitVersion": "v1.32.4-dispatcher"}}', (1, 32)),
        ("v5.7.1\n", (5, 7)),
        ("{Version:kustomize/v4.5.7 GitCommit:56d8}", (4, 5)),
        ("not found", (0, 0)),
    ],
)
def test_the_version_of_a_program_is_read(text: str, version: tuple[int, int]) -> None:
    assert version_of(text) == version
