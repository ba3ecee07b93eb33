"""Vault: credentials open only for their owner, and keys can be rotated."""

import pytest

from spreader.vault import Undecryptable, Vault, new_key

SECRETS = {"access_token": "EAAG-very-secret", "app_secret": "shh"}


def test_sealed_credentials_open_only_for_their_owner() -> None:
    vault = Vault(new_key())
    sealed = vault.seal("prf_1", SECRETS)
    assert vault.open("prf_1", sealed) == SECRETS
    with pytest.raises(Undecryptable, match="another profile"):
        vault.open("prf_2", sealed)


def test_the_sealed_text_reveals_nothing_and_differs_each_time() -> None:
    vault = Vault(new_key())
    one, other = vault.seal("prf_1", SECRETS), vault.seal("prf_1", SECRETS)
    assert one != other
    assert "secret" not in one


def test_a_new_key_in_front_seals_and_the_old_one_still_opens() -> None:
    old, new = new_key(), new_key()
    sealed = Vault(old).seal("prf_1", SECRETS)
    both = Vault(f"{new}, {old}")
    assert both.open("prf_1", sealed) == SECRETS
    assert Vault(new).open("prf_1", both.seal("prf_1", SECRETS)) == SECRETS


def test_a_sealed_text_shows_its_key_and_the_newest_key_gives_the_names() -> None:
    old, new, lost = new_key(), new_key(), new_key()
    both = Vault(f"{new}, {old}")
    assert both.key_ids == (*Vault(new).key_ids, *Vault(old).key_ids)
    sealed = [Vault(key).seal("prf_1", SECRETS) for key in (new, old, lost)]
    assert [both.key_of(each) for each in sealed] == [*both.key_ids, None]
    assert both.key_of("damaged") is None
    assert not any(key_id in key for key_id in both.key_ids for key in (old, new))
    assert both.name("token") == Vault(new).name("token") != Vault(old).name("token")


@pytest.mark.parametrize("damage", ["", "x", "gAAAAABkxxxx"])
def test_another_key_or_a_damaged_text_cannot_be_opened(damage: str) -> None:
    sealed = Vault(new_key()).seal("prf_1", SECRETS)
    with pytest.raises(Undecryptable):
        Vault(new_key()).open("prf_1", damage or sealed)


def test_a_name_is_equal_for_equal_secrets_and_does_not_reveal_them() -> None:
    vault = Vault(new_key())
    assert vault.name("token") == vault.name("token") != vault.name("tokem")
    assert "token" not in vault.name("token")


@pytest.mark.parametrize("keys", ["", "no key", f"{new_key()},short"], ids=["none", "no key", "one too short"])
def test_an_invalid_key_is_refused_with_what_to_do(keys: str) -> None:
    with pytest.raises(ValueError, match="python -m spreader key"):
        Vault(keys)
