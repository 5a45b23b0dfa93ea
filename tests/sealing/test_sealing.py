"""What is sealed opens with the same key at the same place only; and a key is used only if it is its owner's alone."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recontact_tools.sealing import KEY_BYTES, KeyUnusable, Seal, SealBroken, key_at

KEYS = st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES)
# As the ids of lists are; a text of half a character is none.
PLACES = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def seal_of(key: bytes) -> Seal:
    """Return a seal with a key that is at hand."""
    return Seal(lambda: key)


@given(KEYS, PLACES, st.binary(max_size=5_000))
def test_what_is_sealed_opens_with_the_same_key_at_the_same_place(key: bytes, place: str, plain: bytes) -> None:
    sealed = seal_of(key).close(plain, place=place)
    assert seal_of(key).open(sealed, place=place) == plain
    assert len(plain) < 4 or plain not in sealed


@given(KEYS, PLACES, st.binary(max_size=100))
def test_the_same_is_never_sealed_the_same_way_twice(key: bytes, place: str, plain: bytes) -> None:
    assert seal_of(key).close(plain, place=place) != seal_of(key).close(plain, place=place)


@given(KEYS, KEYS, PLACES, st.binary(max_size=100))
def test_another_key_opens_nothing(key: bytes, other: bytes, place: str, plain: bytes) -> None:
    sealed = seal_of(key).close(plain, place=place)
    if key != other:
        with pytest.raises(SealBroken):
            seal_of(other).open(sealed, place=place)


@given(KEYS, PLACES, PLACES, st.binary(max_size=100))
def test_what_was_moved_to_another_place_does_not_open_there(key: bytes, place: str, other: str, plain: bytes) -> None:
    sealed = seal_of(key).close(plain, place=place)
    if place != other:
        with pytest.raises(SealBroken):
            seal_of(key).open(sealed, place=other)


@given(KEYS, PLACES, st.binary(max_size=100), st.data())
def test_any_changed_byte_is_noticed(key: bytes, place: str, plain: bytes, data: st.DataObject) -> None:
    sealed = bytearray(seal_of(key).close(plain, place=place))
    at = data.draw(st.integers(0, len(sealed) - 1))
    sealed[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SealBroken):
        seal_of(key).open(bytes(sealed), place=place)


@given(KEYS, st.binary(max_size=100), st.data())
def test_what_was_cut_off_or_added_to_is_noticed(key: bytes, plain: bytes, data: st.DataObject) -> None:
    sealed = seal_of(key).close(plain, place="here")
    cut = sealed[: data.draw(st.integers(0, len(sealed) - 1))]
    for changed in (cut, sealed + b"\0", b""):
        with pytest.raises(SealBroken):
            seal_of(key).open(changed, place="here")


def test_a_key_is_asked_for_on_first_use_only_when_something_is_sealed() -> None:
    asked: list[str] = []

    def key() -> bytes:
        asked.append("asked")
        return bytes(KEY_BYTES)

    seal = Seal(key)
    before = list(asked)
    seal.open(seal.close(b"x", place="here"), place="here")
    assert (before, set(asked)) == ([], {"asked"})


def test_a_key_is_made_once_and_closed_to_everybody_else(tmp_path: Path) -> None:
    path = tmp_path / "new" / "snapshots.key"
    key = key_at(path)
    assert key_at(path) == key == path.read_bytes()
    assert len(key) == KEY_BYTES
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [file.name for file in path.parent.iterdir()] == ["snapshots.key"]
    assert key_at(tmp_path / "other.key") != key


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o601])
def test_a_key_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "snapshots.key"
    path.write_bytes(bytes(KEY_BYTES))
    path.chmod(mode)
    with pytest.raises(KeyUnusable, match="chmod 600") as refusal:
        key_at(path)
    assert str(tmp_path) not in str(refusal.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_key_of_somebody_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "snapshots.key"
    key_at(path)
    os.chown(path, 12_345, -1)
    with pytest.raises(KeyUnusable, match="belong to you"):
        key_at(path)


@pytest.mark.parametrize("size", [0, KEY_BYTES - 1, KEY_BYTES + 1, 10_000])
def test_a_key_of_another_length_is_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "snapshots.key"
    path.write_bytes(bytes(size))
    path.chmod(0o600)
    with pytest.raises(KeyUnusable, match="32 bytes"):
        key_at(path)


def to_a_key(path: Path) -> None:
    """Make a link to a good key."""
    key_at(path.with_name("elsewhere.key"))
    path.symlink_to(path.with_name("elsewhere.key"))


def to_nothing(path: Path) -> None:
    """Make a link to what is not there: a key must not be made there either."""
    path.symlink_to(path.with_name("elsewhere.key"))


@pytest.mark.parametrize("link", [to_a_key, to_nothing])
def test_a_link_in_place_of_the_key_is_not_followed(tmp_path: Path, link: Callable[[Path], None]) -> None:
    path = tmp_path / "snapshots.key"
    link(path)
    known = {file.name for file in tmp_path.iterdir()}
    with pytest.raises(OSError, match="symbolic link"):
        key_at(path)
    assert {file.name for file in tmp_path.iterdir()} == known


def test_a_place_that_is_no_directory_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        key_at(tmp_path / "file" / "snapshots.key")
