"""A home belongs to one system at a time."""

from pathlib import Path

import pytest

from local import home
from local.home import LocalHome
from local.unavailable import Unavailable
from spreader.vault import Vault


def test_a_second_system_in_the_same_home_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with LocalHome(tmp_path).lock(), pytest.raises(Unavailable, match="SPREADER_HOME"), LocalHome(tmp_path).lock():
        pass
    with LocalHome(tmp_path).lock():
        assert (tmp_path / "lock").exists()


def test_a_full_disk_is_reported_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home, "FREE_BYTES_MIN", 2**60)
    with pytest.raises(Unavailable, match=r"has \d+ MB left"), LocalHome(tmp_path).lock():
        pass


def test_a_home_that_cannot_be_a_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="Cannot write to"), LocalHome(tmp_path / "file" / "home").lock():
        pass


def test_the_running_processes_are_recorded_while_they_run(tmp_path: Path) -> None:
    with LocalHome(tmp_path).lock():
        LocalHome(tmp_path).save_running({"router": 7}, {"ingress": "http://127.0.0.1:8000"})
        running = LocalHome(tmp_path).running()
        assert running is not None
        assert running["processes"] == {"router": 7}
        assert running["addresses"] == {"ingress": "http://127.0.0.1:8000"}
    assert LocalHome(tmp_path).running() is None


def test_the_secret_key_is_created_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    key = LocalHome(tmp_path).secret_key()
    assert LocalHome(tmp_path).secret_key() == key
    assert Vault(key).open("prf_1", Vault(key).seal("prf_1", {"api_key": "k"})) == {"api_key": "k"}
    assert (tmp_path / "secret.key").stat().st_mode & 0o077 == 0
