"""Overlays: the manifests of deploy/k8s as kustomize renders them."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from local.testbed.kustomize import kustomize

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/k8s/overlays"
OVERLAYS = ("dev", "prod", "external")
Manifest = Mapping[str, Any]


@cache
def rendered(overlay: str) -> Sequence[Manifest]:
    """Raises Unavailable without kustomize, and AssertionError if kustomize refuses the overlay."""
    return render(FOLDER / overlay)


def render(folder: Path) -> Sequence[Manifest]:
    done = subprocess.run([*kustomize(), folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, f"kustomize warns: {done.stderr}"
    return list(yaml.load_all(done.stdout, Loader=yaml.CSafeLoader))


def of_kind(overlay: str, *kinds: str) -> Iterator[Manifest]:
    return (manifest for manifest in rendered(overlay) if manifest["kind"] in kinds)


def named(overlay: str, kind: str) -> dict[str, Any]:
    """The manifests of a kind by their names."""
    return {manifest["metadata"]["name"]: manifest for manifest in of_kind(overlay, kind)}


def pods(overlay: str) -> dict[str, Any]:
    """The pod templates of Deployments and Jobs, by the name of what makes the pods."""
    return {each["metadata"]["name"]: each["spec"]["template"] for each in of_kind(overlay, "Deployment", "Job")}


def containers(pod: Manifest) -> Sequence[Manifest]:
    return [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]


def label(manifest: Manifest, name: str) -> str | None:
    return manifest["metadata"].get("labels", {}).get(f"app.kubernetes.io/{name}")
