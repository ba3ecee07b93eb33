"""An entry of the cache is complete or absent."""

from pathlib import Path

import pytest

from local.downloads.cache import cached_folder
from local.unavailable import Unavailable


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPREADER_CACHE", str(tmp_path))


def test_an_interrupted_download_never_looks_complete(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_text("of it")
        raise ConnectionError

    with pytest.raises(ConnectionError):
        cached_folder("jars", fail)
    assert not (tmp_path / "jars").exists()
    assert cached_folder("jars", lambda folder: (folder / "all").touch()).joinpath("all").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["jars", "jars.lock"]


def test_a_complete_entry_is_not_downloaded_again() -> None:
    calls: list[Path] = []
    assert cached_folder("jars", calls.append) == cached_folder("jars", calls.append)
    assert len(calls) == 1


def test_a_full_disk_is_reported_before_anything_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Path] = []
    monkeypatch.setattr("local.downloads.cache.FREE_BYTES_MIN", 2**60)
    with pytest.raises(Unavailable, match=r"has \d+ MB left; .* SPREADER_CACHE"):
        cached_folder("jars", calls.append)
    assert calls == []


def test_a_cache_that_cannot_be_a_folder_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SPREADER_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(Unavailable, match=r"Cannot write to .*: Not a directory"):
        cached_folder("jars", lambda folder: None)
