"""Files that hold keys: for the owner alone, written whole or not at all."""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import secrets
import stat
from pathlib import Path

from gatekeep.errors import OperatorError
from gatekeep.limits import KEY_FILE_BYTES_MAX
from gatekeep.principal import Secret

KEY_BYTES = 32
"""Every key of gatekeep is 32 random bytes."""


def read_private(path: Path) -> bytes:
    """Return the content of a file that only its owner can read.

    A symbolic link is followed: mounted secrets are links.

    Raises:
        OperatorError: missing, unreadable, no regular file, too large, or open to
            group or others; the message says what to do.
    """
    try:
        # Non-blocking: a named pipe in its place must not hang the start.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise OperatorError(
            "keys.missing", f"{path}: no such file: `gatekeep keys new` makes it"
        ) from error
    except OSError as error:
        raise OperatorError("keys.unreadable", f"{path}: {error.strerror}") from error
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise OperatorError("keys.unreadable", f"{path}: expected a regular file")
        if mode & 0o077:
            raise OperatorError(
                "keys.exposed",
                f"{path}: mode is {stat.S_IMODE(mode):04o}, others can read it: "
                f"expected 0600; make new keys if they may have been read",
            )
        content = os.read(descriptor, KEY_FILE_BYTES_MAX + 1)
    finally:
        os.close(descriptor)
    if len(content) > KEY_FILE_BYTES_MAX:
        raise OperatorError(
            "keys.malformed", f"{path}: expected at most {KEY_FILE_BYTES_MAX} bytes"
        )
    return content


def write_private(path: Path, content: bytes, *, replace: bool) -> None:
    """Write a file with mode 0600: after a crash the old one is there, or the new.

    Args:
        path: where; missing parent directories are made with mode 0700.
        content: all of it.
        replace: False: a file that is there stays, and it is an error.

    Raises:
        OperatorError: it is there already, or cannot be written.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            _write_draft(draft, content)
            if replace:
                draft.replace(path)
            else:
                _link(draft, path)
            _sync_directory(path.parent)
        finally:
            with contextlib.suppress(OSError):
                draft.unlink()
    except OSError as error:
        raise OperatorError("keys.unwritable", f"{path}: {error.strerror}") from error


def encode_key(key: Secret) -> bytes:
    """Base64 of a key: what a key file says."""
    return base64.b64encode(key.reveal())  # the file is where it is kept


def parse_key(text: bytes, *, place: str) -> Secret:
    """Return the key that base64 text says; ``place`` is named in errors.

    Raises:
        OperatorError: not base64 of exactly `KEY_BYTES` bytes.
    """
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != KEY_BYTES:
        raise OperatorError(
            "keys.malformed", f"{place}: expected base64 of {KEY_BYTES} bytes"
        )
    return Secret(key)


def new_key() -> Secret:
    """A key of random bytes from the operating system."""
    return Secret(secrets.token_bytes(KEY_BYTES))


def _write_draft(path: Path, content: bytes) -> None:
    descriptor = os.open(
        path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600
    )
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _link(draft: Path, path: Path) -> None:
    """Give a draft its name; unlike a rename, this fails when the name is taken."""
    try:
        path.hardlink_to(draft)
    except FileExistsError as error:
        raise OperatorError(
            "keys.exists", f"{path}: is there already and is left as it is"
        ) from error


def _sync_directory(directory: Path) -> None:
    """Make a rename or link in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
