"""A home belongs to one system at a time."""

from pathlib import Path

import pytest

from local import home
from local.home import Home
from local.unavailable import Unavailable
from spreader.vault import Vault


def test_a_second_system_in_the_same_home_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with Home(tmp_path).occupied(), pytest.raises(Unavailable, match="SPREADER_HOME"), Home(tmp_path).occupied():
        pass
    with Home(tmp_path).occupied():
        assert (tmp_path / "lock").exists()


def test_a_full_disk_is_said_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home, "FREE_BYTES_MIN", 2**60)
    with pytest.raises(Unavailable, match=r"has \d+ MB left"), Home(tmp_path).occupied():
        pass


def test_a_home_that_cannot_be_a_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="cannot be written"), Home(tmp_path / "file" / "home").occupied():
        pass


def test_who_runs_is_known_as_long_as_it_runs(tmp_path: Path) -> None:
    with Home(tmp_path).occupied():
        Home(tmp_path).remember_running({"router": 7}, {"ingress": "http://127.0.0.1:8000"})
        running = Home(tmp_path).running()
        assert running is not None
        assert running["processes"] == {"router": 7}
        assert running["addresses"] == {"ingress": "http://127.0.0.1:8000"}
    assert Home(tmp_path).running() is None


def test_the_secret_key_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    made = Home(tmp_path).secret_key()
    assert Home(tmp_path).secret_key() == made
    assert Vault(made).open("prf_1", Vault(made).seal("prf_1", {"api_key": "k"})) == {"api_key": "k"}
    assert (tmp_path / "secret.key").stat().st_mode & 0o077 == 0
