"""Promtool is taken from the PATH, or else unpacked from Debian's package. If both fail, an error says what to do."""

from pathlib import Path

import pytest

from local.testbed.promtool import promtool
from local.unavailable import Unavailable


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the only one on the PATH. The cache is empty."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}")
    monkeypatch.setenv("SPREADER_CACHE", str(tmp_path / "cache"))
    return folder


def program(folder: Path, name: str, does: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{does}\n")
    (folder / name).chmod(0o755)


def test_promtool_on_the_path_is_used(programs: Path) -> None:
    program(programs, "promtool", "true")
    assert promtool() == programs / "promtool"


def test_only_promtool_is_kept_of_the_package(programs: Path) -> None:
    program(programs, "apt-get", '[ "$1" = download ] && touch prometheus_2.deb')
    program(programs, "dpkg-deb", 'mkdir -p "$3/usr/bin" && touch "$3/usr/bin/promtool" "$3/usr/bin/prometheus"')
    unpacked = promtool()
    assert [path.name for path in unpacked.parent.iterdir()] == ["promtool"]
    program(programs, "apt-get", "exit 100")
    assert promtool() == unpacked


@pytest.mark.parametrize(
    ("does", "error"),
    [(None, "Install Prometheus"), ("echo 'E: no such package' >&2; exit 100", "E: no such package")],
)
def test_without_promtool_an_error_says_why_and_nothing_incomplete_is_kept(
    programs: Path, does: str | None, error: str
) -> None:
    if does is not None:
        program(programs, "apt-get", does)
        program(programs, "dpkg-deb", "exit 1")
    with pytest.raises(Unavailable, match=error):
        promtool()
    assert not (programs.parent / "cache" / "promtool-of-debian").exists()
