"""What is in the cache is complete."""

from pathlib import Path

import pytest

from local.cache import once
from local.unavailable import Unavailable


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPREADER_CACHE", str(tmp_path))


def test_a_download_that_breaks_never_looks_finished(tmp_path: Path) -> None:
    def break_off(folder: Path) -> None:
        (folder / "half").write_text("of it")
        raise ConnectionError

    with pytest.raises(ConnectionError):
        once("jars", break_off)
    assert not (tmp_path / "jars").exists()
    assert once("jars", lambda folder: (folder / "all").touch()).joinpath("all").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["jars", "jars.lock"]


def test_what_is_there_is_not_fetched_again() -> None:
    calls: list[Path] = []
    assert once("jars", calls.append) == once("jars", calls.append)
    assert len(calls) == 1


def test_a_full_disk_is_said_before_anything_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Path] = []
    monkeypatch.setattr("local.cache.FREE_BYTES_MIN", 2**60)
    with pytest.raises(Unavailable, match=r"has \d+ MB left; .* SPREADER_CACHE"):
        once("jars", calls.append)
    assert calls == []


def test_a_cache_that_cannot_be_a_folder_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SPREADER_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(Unavailable, match="cannot be written: Not a directory"):
        once("jars", lambda folder: None)
