"""Sealing: round trips, everything that must not be readable, and the keys."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents import vault
from documents.vault import VaultError

PLACE, KEY = "students.pupil.id", "3f2c"


@pytest.fixture
def own_keys(settings, tmp_path):
    """An empty key directory of one's own."""
    settings.KEY_DIR = tmp_path / "keys"
    return settings.KEY_DIR


@given(st.text())
def test_what_is_sealed_can_be_unsealed(text):
    assert vault.unseal(vault.seal(text, place=PLACE, key=KEY), place=PLACE, key=KEY) == text


@given(st.binary(max_size=2000))
def test_files_round_trip(content):
    assert vault.unseal_bytes(vault.seal_bytes(content, place=PLACE, key=KEY), place=PLACE, key=KEY) == content


def test_sealed_text_names_its_key_and_shows_nothing_of_the_content():
    sealed = vault.seal("530102201501011234", place=PLACE, key=KEY)
    assert sealed.startswith("a1:")
    assert "530102" not in sealed


def test_the_same_text_is_sealed_differently_each_time():
    assert vault.seal("530102", place=PLACE, key=KEY) != vault.seal("530102", place=PLACE, key=KEY)


def test_empty_text_is_sealed_like_any_other_and_is_not_nothing():
    assert vault.unseal(vault.seal("", place=PLACE, key=KEY), place=PLACE, key=KEY) == ""
    with pytest.raises(VaultError):
        vault.unseal("", place=PLACE, key=KEY)


@pytest.mark.parametrize(("place", "key"), [(PLACE, "other"), ("students.pupil.phone", KEY)])
def test_a_value_copied_to_another_row_or_column_cannot_be_read(place, key):
    sealed = vault.seal("530102201501011234", place=PLACE, key=KEY)
    with pytest.raises(VaultError):
        vault.unseal(sealed, place=place, key=key)


def test_every_changed_character_is_noticed():
    sealed = vault.seal("530102201501011234", place=PLACE, key=KEY)
    for position in range(len(sealed)):
        changed = sealed[:position] + ("A" if sealed[position] != "A" else "B") + sealed[position + 1 :]
        with pytest.raises(VaultError):
            vault.unseal(changed, place=PLACE, key=KEY)


@given(st.text())
def test_text_that_was_never_sealed_is_refused_and_never_returned(text):
    with pytest.raises(VaultError):
        vault.unseal(text, place=PLACE, key=KEY)


@given(st.binary(max_size=60))
def test_bytes_that_were_never_sealed_are_refused(content):
    with pytest.raises(VaultError):
        vault.unseal_bytes(content, place=PLACE, key=KEY)


def test_many_threads_seal_and_unseal_at_once():
    def work(number):
        text = f"53010220150101{number:04}"
        sealed = vault.seal(text, place=PLACE, key=str(number))
        return vault.unseal(sealed, place=PLACE, key=str(number)) == text

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(2000)))


def test_the_index_is_the_same_for_the_same_text_and_differs_by_purpose():
    index = vault.blind_index("530102201501011234", purpose="idno")
    assert index == vault.blind_index("530102201501011234", purpose="idno")
    assert index != vault.blind_index("530102201501011234", purpose="card")
    assert len(index) == 64


def test_a_purpose_cannot_run_into_the_text():
    with pytest.raises(ValueError, match="colon"):
        vault.blind_index("1", purpose="idno:v1")


def test_make_keys_makes_four_files_only_their_owner_can_read(own_keys):
    made = vault.make_keys(new_installation=True)
    assert sorted(path.name for path in made) == ["django-secret", "field-1.key", "files-1.key", "index-1.key"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in own_keys.iterdir()} == {0o400}
    assert len({path.read_bytes() for path in own_keys.glob("*.key")}) == 3


def test_make_keys_again_changes_nothing(own_keys):
    vault.make_keys(new_installation=True)
    before = {path: path.read_bytes() for path in own_keys.iterdir()}
    assert vault.make_keys(new_installation=True) == []
    assert {path: path.read_bytes() for path in own_keys.iterdir()} == before


def test_many_processes_making_keys_agree_on_one(own_keys):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: vault.make_keys(new_installation=True), range(16)))
    assert sorted(path.name for paths in made for path in paths) == [
        "django-secret",
        "field-1.key",
        "files-1.key",
        "index-1.key",
    ]


@pytest.mark.django_db
def test_a_lost_key_is_not_replaced_while_sealed_data_exists(upload, own_keys):
    vault.make_keys(new_installation=True)
    (own_keys / "files-1.key").unlink()
    with pytest.raises(VaultError, match="密钥备份"):
        vault.make_keys()
    assert not (own_keys / "files-1.key").exists()


@pytest.mark.django_db
def test_an_empty_database_gets_its_keys(own_keys):
    assert len(vault.make_keys()) == 4


def test_reading_without_the_key_says_which_file_is_missing(own_keys):
    own_keys.mkdir()
    with pytest.raises(VaultError, match="field-1"):
        vault.seal("530102", place=PLACE, key=KEY)
    assert vault.missing_keys() == [own_keys / f"{use}-1.key" for use in ("field", "index", "files")]


def test_a_key_of_the_wrong_length_is_refused(own_keys):
    own_keys.mkdir()
    (own_keys / "field-1.key").write_bytes(b"short")
    with pytest.raises(VaultError, match="32"):
        vault.seal("530102", place=PLACE, key=KEY)


def test_a_second_key_is_written_with_and_the_first_still_read(own_keys):
    vault.make_keys(new_installation=True)
    old = vault.seal("530102", place=PLACE, key=KEY)
    (own_keys / "field-2.key").write_bytes(os.urandom(32))
    vault.make_keys(new_installation=True)  # as after a restart: keys are read anew
    new = vault.seal("530102", place=PLACE, key=KEY)
    assert (old[:3], new[:3]) == ("a1:", "a2:")
    assert {vault.unseal(sealed, place=PLACE, key=KEY) for sealed in (old, new)} == {"530102"}


def test_a_value_of_another_installation_cannot_be_read(own_keys, settings, tmp_path):
    vault.make_keys(new_installation=True)
    sealed = vault.seal("530102", place=PLACE, key=KEY)
    settings.KEY_DIR = tmp_path / "others"
    vault.make_keys(new_installation=True)
    with pytest.raises(VaultError, match="密钥不是"):
        vault.unseal(sealed, place=PLACE, key=KEY)
