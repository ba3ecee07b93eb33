"""Kustomize: the program that renders manifests of Kubernetes, from the PATH or built by Go."""

import contextlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from local.downloads.cache import cached_folder
from local.unavailable import Unavailable, shorten

VERSION = "v5.7.1"
_MODULE = "sigs.k8s.io/kustomize/kustomize/v5"
_KUBECTL_MIN, _KUSTOMIZE_MIN = (1, 27), (5, 0)
_SECONDS = 600
_MISSING = "kubectl 1.27 or kustomize 5, or newer ones, are not on the PATH"


def kustomize() -> Sequence[str]:
    """The command that renders the folder after it: `kubectl kustomize`, or `kustomize build`. Raises Unavailable."""
    if (kubectl := shutil.which("kubectl")) and version_of(_said(kubectl, "version", "--client", "-o", "json")) >= (
        _KUBECTL_MIN
    ):
        return kubectl, "kustomize"
    if (installed := shutil.which("kustomize")) and version_of(_said(installed, "version")) >= _KUSTOMIZE_MIN:
        return installed, "build"
    if shutil.which("go") is None:
        raise Unavailable(f"{_MISSING}, and Go, which could build kustomize, is not either.")
    return str(cached_folder(f"kustomize-{VERSION}", _build) / "kustomize"), "build"


def version_of(text: str) -> tuple[int, int]:
    """The major and minor version in the output of a program. (0, 0): the output has none."""
    with contextlib.suppress(ValueError, KeyError, TypeError):  # not the JSON of kubectl
        text = json.loads(text)["clientVersion"]["gitVersion"]
    found = re.search(r"v(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False).stdout


def _build(folder: Path) -> None:
    environment = {**os.environ, "GOBIN": str(folder), "GOFLAGS": ""}
    command = ["go", "install", f"{_MODULE}@{VERSION}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False)
    if done.returncode:
        raise Unavailable(f"{_MISSING}, and Go cannot build kustomize: {shorten(done.stderr)}")
