"""Promtool: from the PATH, else unpacked from a package that is not installed; else a sentence says what to do."""

from pathlib import Path

import pytest

from local.promtool import promtool
from local.unavailable import Unavailable


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on the PATH, beside an empty cache."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}")
    monkeypatch.setenv("SPREADER_CACHE", str(tmp_path / "cache"))
    return folder


def program(folder: Path, name: str, does: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{does}\n")
    (folder / name).chmod(0o755)


def test_the_one_on_the_path_is_taken(programs: Path) -> None:
    program(programs, "promtool", "true")
    assert promtool() == programs / "promtool"


def test_it_alone_is_kept_of_the_package(programs: Path) -> None:
    program(programs, "apt-get", '[ "$1" = download ] && touch prometheus_2.deb')
    program(programs, "dpkg-deb", 'mkdir -p "$3/usr/bin" && touch "$3/usr/bin/promtool" "$3/usr/bin/prometheus"')
    found = promtool()
    assert [each.name for each in found.parent.iterdir()] == ["promtool"]
    program(programs, "apt-get", "exit 100")
    assert promtool() == found


@pytest.mark.parametrize(
    ("does", "says"),
    [(None, "install Prometheus"), ("echo 'E: no such package' >&2; exit 100", "E: no such package")],
)
def test_where_it_cannot_be_had_a_sentence_says_why_and_nothing_half_is_kept(
    programs: Path, does: str | None, says: str
) -> None:
    if does is not None:
        program(programs, "apt-get", does)
        program(programs, "dpkg-deb", "exit 1")
    with pytest.raises(Unavailable, match=says):
        promtool()
    assert not (programs.parent / "cache" / "promtool-of-debian").exists()
