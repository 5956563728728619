"""The file of sealing keys: newest first, one ``id base64(32 bytes)`` a line."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gatekeep.errors import OperatorError
from gatekeep.identity.keyfiles import (
    encode_key,
    new_key,
    parse_key,
    read_private,
    write_private,
)
from gatekeep.limits import KEYRING_KEYS_MAX
from gatekeep.principal import Secret

_ID = re.compile(rb"[a-z0-9]{1,16}")


@dataclass(frozen=True, slots=True)
class SealingKey:
    """One key of the ring, and the two keys derived from it.

    Sealing tokens and deriving secrets use keys of their own, so that nothing about
    one use can be learned from the other.
    """

    id: bytes
    """1 to 16 of ``a-z0-9``; travels in the clear in every token."""
    key: Secret
    box: AESGCM = field(init=False, repr=False, compare=False)
    """Seals and opens tokens: AES-256-GCM."""
    secrets_key: Secret = field(init=False, repr=False, compare=False)
    """Derives the secret access key of a session."""

    def __post_init__(self) -> None:
        seal = self._derive(b"gatekeep session token 1")
        object.__setattr__(self, "box", AESGCM(seal))
        object.__setattr__(
            self, "secrets_key", Secret(self._derive(b"gatekeep session secret 1"))
        )

    def _derive(self, purpose: bytes) -> bytes:
        return hmac.digest(self.key.reveal(), purpose, hashlib.sha256)

    def secret_access_key(self, session_id: str) -> Secret:
        """The secret of a session: 40 characters, as AWS's have."""
        derived = hmac.digest(
            self.secrets_key.reveal(), session_id.encode(), hashlib.sha256
        )
        return Secret(base64.b64encode(derived[:30]))


def new_sealing_key() -> SealingKey:
    """A random key under a random id of eight characters."""
    return SealingKey(secrets.token_hex(4).encode(), new_key())


def read_keys(path: Path) -> tuple[SealingKey, ...]:
    """Return the keys of a keyring file, newest first.

    Empty lines and lines that begin with ``#`` do not count.

    Raises:
        OperatorError: as `keyfiles.read_private`, a line of another form, an id
            twice, no key at all or more than `KEYRING_KEYS_MAX`.
    """
    keys: dict[bytes, SealingKey] = {}
    for number, line in enumerate(read_private(path).splitlines(), start=1):
        if not line.strip() or line.startswith(b"#"):
            continue
        place = f"{path}:{number}"
        key_id, _, text = line.strip().partition(b" ")
        if not _ID.fullmatch(key_id):
            raise OperatorError(
                "keys.malformed", f"{place}: expected `id base64(32 bytes)`"
            )
        if key_id in keys:
            raise OperatorError(
                "keys.malformed", f"{place}: id `{key_id.decode()}` is there twice"
            )
        keys[key_id] = SealingKey(key_id, parse_key(text, place=place))
    if not 1 <= len(keys) <= KEYRING_KEYS_MAX:
        raise OperatorError(
            "keys.malformed",
            f"{path}: holds {len(keys)} keys: expected 1 to {KEYRING_KEYS_MAX}",
        )
    return tuple(keys.values())


def write_keys(path: Path, keys: Sequence[SealingKey], *, replace: bool) -> None:
    """Write a keyring file; see `keyfiles.write_private` for how and what it raises."""
    lines = [b"%b %b\n" % (key.id, encode_key(key.key)) for key in keys]
    write_private(path, b"".join(lines), replace=replace)
