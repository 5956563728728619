"""Key files are for their owner alone, and are written whole or not at all."""

import base64
import os
import stat

import pytest

from gatekeep.errors import OperatorError
from gatekeep.identity.keyfiles import read_private, write_private
from gatekeep.identity.keyring import read_keys
from gatekeep.identity.sessions import SessionKeyring
from gatekeep.limits import KEY_FILE_BYTES_MAX

KEY = base64.b64encode(bytes(32)).decode()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "keys" / "sessions.keys"


def test_a_key_file_is_made_for_its_owner_alone(path):
    old = os.umask(0)
    try:
        SessionKeyring.generate().write(path)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_a_keyring_reads_as_it_was_written(path):
    written = SessionKeyring.generate().rotated(keep=1).rotated(keep=2)
    written.write(path)
    read = SessionKeyring.read(path)
    assert read.key_ids == written.key_ids
    assert [key.key for key in read._keys] == [key.key for key in written._keys]


def test_what_is_there_is_not_overwritten_by_new(path):
    SessionKeyring.generate().write(path)
    before = path.read_bytes()
    with pytest.raises(OperatorError, match="is there already"):
        SessionKeyring.generate().write(path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file_and_no_draft(path, monkeypatch):
    write_private(path, b"old", replace=False)

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OperatorError, match="No space left"):
        write_private(path, b"new", replace=True)
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666, 0o601])
def test_a_file_open_to_others_is_refused(path, mode):
    SessionKeyring.generate().write(path)
    path.chmod(mode)
    with pytest.raises(OperatorError, match="expected 0600"):
        SessionKeyring.read(path)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_of_its_owner_is_read_through_a_link(path, tmp_path, mode):
    SessionKeyring.generate().write(path)
    path.chmod(mode)
    link = tmp_path / "link"
    link.symlink_to(path)
    assert SessionKeyring.read(link).key_ids


def test_what_is_no_readable_file_is_the_operators_error(path, tmp_path):
    with pytest.raises(OperatorError, match="gatekeep keys new"):
        read_private(path)
    with pytest.raises(OperatorError, match="expected a regular file"):
        read_private(tmp_path)
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(OperatorError, match="expected a regular file"):
        read_private(tmp_path / "pipe")
    write_private(path, b"x" * (KEY_FILE_BYTES_MAX + 1), replace=False)
    with pytest.raises(OperatorError, match="at most"):
        read_private(path)
    with pytest.raises(OperatorError, match="File exists"):
        write_private(path / "below", b"", replace=False)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "holds 0 keys"),
        ("# only a comment\n\n", "holds 0 keys"),
        (KEY, ":1: expected `id base64"),
        (f"a {KEY}\nB {KEY}", ":2: expected `id base64"),
        (f"{'a' * 17} {KEY}", ":1: expected `id base64"),
        (f"a {KEY[:-4]}", ":1: expected base64 of 32 bytes"),
        (f"a {KEY}AAAA", ":1: expected base64 of 32 bytes"),
        ("a !!!", ":1: expected base64 of 32 bytes"),
        ("a", ":1: expected base64 of 32 bytes"),
        (f"a {KEY}\n# note\na {KEY}", ":3: id `a` is there twice"),
        ("\n".join(f"k{n} {KEY}" for n in range(17)), "holds 17 keys"),
        ("\xff\xfe", ":1: expected `id base64"),
    ],
)
def test_a_malformed_keyring_names_its_line(path, content, expected):
    write_private(path, content.encode("latin-1"), replace=False)
    with pytest.raises(OperatorError) as caught:
        read_keys(path)
    assert f"{path}" in caught.value.message
    assert expected in caught.value.message
    assert KEY not in caught.value.message
