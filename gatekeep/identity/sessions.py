"""Sessions: sealed into a token that the agent carries, opened on every request.

A session token is base64url without padding of::

    version 0x01 | length of key id | key id | 12-byte nonce | AES-256-GCM box

The box holds the session in msgpack; what precedes it is authenticated with it.
The nonce is random, so one key is good for 2**32 sessions: rotate long before.

The secret access key is not in the token. It is derived from the session's id with
a key of the ring, so whoever sees a token on the wire still cannot sign.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import msgpack
import structlog
from cryptography.exceptions import InvalidTag

from gatekeep.errors import AuthenticationError, LimitError, OperatorError
from gatekeep.identity.keyring import (
    SealingKey,
    new_sealing_key,
    read_keys,
    write_keys,
)
from gatekeep.limits import (
    ADVERTISED_SESSION_S_MIN,
    KEYRING_RECHECK_S,
    OPENED_SESSIONS_MAX,
    SESSION_TOKEN_BYTES_MAX,
)
from gatekeep.principal import Principal, Secret, Session

log = structlog.get_logger()

_VERSION = 1
_NONCE_BYTES = 12
_ID_BYTES = 16
ACCESS_KEY_PREFIX = "GKSA"
"""Begins every access key id of ours, as ``ASIA`` begins AWS's temporary ones."""


class _Content(NamedTuple):
    """What a box holds, in this order."""

    random: bytes
    issuer: str
    subject: str
    groups: tuple[str, ...]
    role_arn: str
    name: str
    issued_at_s: int
    expires_at_s: int
    justification: str
    ticket: str
    grant: str


@dataclass(frozen=True, slots=True)
class SealedSession:
    """A new session and what its holder is given."""

    session: Session
    session_token: str = field(repr=False)
    """The sealed session: ASCII, at most `SESSION_TOKEN_BYTES_MAX`."""
    advertised_expiration_s: int
    """What the SDK is told: never sooner than the session's own end, and at least
    `ADVERTISED_SESSION_S_MIN` from now."""

    @property
    def session_id(self) -> str:
        """The session's id."""
        return self.session.id

    @property
    def access_key_id(self) -> str:
        """What the SDK signs with."""
        return self.session.access_key_id

    @property
    def secret_access_key(self) -> Secret:
        """What the SDK signs with, never sent again."""
        return self.session.secret_access_key

    @property
    def expires_at_s(self) -> int:
        """When the gateway stops honouring the session."""
        return self.session.expires_at_s


class SessionKeyring:
    """Seals sessions with the newest key and opens those of every key it holds.

    A keyring read from a file notices within `KEYRING_RECHECK_S` that the file
    changed, so rotation needs no restart: sessions of removed keys end, all others
    go on. A changed file that cannot be read leaves the last good keys in force.
    Nodes that share a keyring must each have a new key before any of them seals
    with it: copy the file to all within that second, or put the key second first.
    """

    def __init__(self, keys: tuple[SealingKey, ...]) -> None:
        self._keys = keys
        self._by_id = {key.id: key for key in keys}
        self._path: Path | None = None
        self._seen: tuple[int, ...] | None = None
        self._checked_s = float("-inf")
        self._opened: OrderedDict[bytes, Session] = OrderedDict()

    @classmethod
    def read(cls, path: Path) -> SessionKeyring:
        """Return the keyring of a file; see `keyring.read_keys` for the errors."""
        # The stamp is taken first: a change while reading is then seen later.
        seen = _stamp(path)
        keyring = cls(read_keys(path))
        keyring._path, keyring._seen = path, seen
        return keyring

    @classmethod
    def generate(cls) -> SessionKeyring:
        """Return a keyring of one new key that no file holds."""
        return cls((new_sealing_key(),))

    @property
    def key_ids(self) -> tuple[str, ...]:
        """Ids of the keys, the sealing one first."""
        return tuple(key.id.decode() for key in self._keys)

    def rotated(self, *, keep: int) -> SessionKeyring:
        """Return a keyring with a new key first and at most ``keep`` of the old."""
        return SessionKeyring((new_sealing_key(), *self._keys[:keep]))

    def write(self, path: Path, *, replace: bool = False) -> None:
        """Write the keys to a file; see `keyring.write_keys` for the errors."""
        write_keys(path, self._keys, replace=replace)

    def seal(
        self,
        *,
        principal: Principal,
        role_arn: str,
        name: str,
        duration_s: int,
        now_s: float,
        justification: str = "",
        ticket: str = "",
        grant: str = "",
    ) -> SealedSession:
        """Return a new session.

        An SDK fetches credentials anew some time before the advertised end: boto3
        15 minutes, JavaScript 5. Under 20 minutes ``duration_s`` is shorter than
        what is advertised, and below 5 (boto3) or 15 (JavaScript) the session ends
        before the SDK asks again; the agent then sees ``ExpiredToken``.

        Raises:
            LimitError: what is to be sealed does not fit into a token.
        """
        self._recheck(now_s)
        key = self._keys[0]
        content = _Content(
            secrets.token_bytes(_ID_BYTES),
            principal.issuer,
            principal.subject,
            principal.groups,
            role_arn,
            name,
            int(now_s),
            int(now_s) + duration_s,
            justification,
            ticket,
            grant,
        )
        header = bytes((_VERSION, len(key.id))) + key.id
        nonce = secrets.token_bytes(_NONCE_BYTES)
        box = header + nonce + key.box.encrypt(nonce, msgpack.packb(content), header)
        token = _encode(box)
        if len(token) > SESSION_TOKEN_BYTES_MAX:
            raise LimitError(
                "identity.session_oversized",
                f"{len(principal.groups)} groups make the session token "
                f"{len(token)} bytes long, the most is {SESSION_TOKEN_BYTES_MAX}: "
                "have the issuer put fewer groups into the token",
                aws_code="PackedPolicyTooLarge",
            )
        return SealedSession(
            _session(key, content),
            token.decode(),
            int(now_s) + max(duration_s, ADVERTISED_SESSION_S_MIN),
        )

    def open(self, token: bytes, *, access_key_id: str, now_s: float) -> Session:
        """Return the session of a token.

        Whether it was revoked is not known here: ask `revocation.Revocations`.

        Raises:
            AuthenticationError: ``InvalidClientTokenId`` when the token is not ours,
                was changed, or belongs to another access key; ``ExpiredToken``.
        """
        if not 0 <= now_s - self._checked_s < KEYRING_RECHECK_S:
            self._recheck(now_s)
        session = self._opened.get(token)
        if session is None:
            session = self._unseal(token, now_s)
            self._opened[token] = session
            if len(self._opened) > OPENED_SESSIONS_MAX:
                self._opened.popitem(last=False)
        else:
            self._opened.move_to_end(token)
        if session.access_key_id != access_key_id:
            raise _invalid("identity.access_key_mismatch")
        if now_s >= session.expires_at_s:
            raise AuthenticationError(
                "identity.session_expired",
                "The security token included in the request is expired",
                aws_code="ExpiredToken",
            )
        return session

    def _unseal(self, token: bytes, now_s: float) -> Session:
        """Open a token that is not remembered."""
        if len(token) > SESSION_TOKEN_BYTES_MAX:
            raise _invalid("identity.session_oversized")
        box = _decode(token)
        header_end = 2 + (box[1] if len(box) > 1 else 0)
        if box[:1] != bytes((_VERSION,)) or len(box) < header_end + _NONCE_BYTES:
            raise _invalid("identity.session_malformed")
        header = box[:header_end]
        key_id = header[2:]
        if key_id not in self._by_id:
            # Another worker may have sealed with a key that is new this very second.
            self._recheck(now_s)
        key = self._by_id.get(key_id)
        if key is None:
            raise _invalid("identity.session_key_unknown")
        nonce = box[header_end : header_end + _NONCE_BYTES]
        try:
            content = key.box.decrypt(nonce, box[header_end + _NONCE_BYTES :], header)
        except InvalidTag as error:
            raise _invalid("identity.session_tampered") from error
        # Nothing to check from here on: only `seal` could have made it.
        return _session(key, _Content(*msgpack.unpackb(content, use_list=False)))

    def _recheck(self, now_s: float) -> None:
        """Read the file anew if it changed since it was read."""
        self._checked_s = now_s
        if self._path is None:
            return
        stamp = _stamp(self._path)
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            self._keys = read_keys(self._path)
        except OperatorError as error:
            log.error("keyring not reloaded, the last good one stays", error=str(error))
            return
        self._by_id = {key.id: key for key in self._keys}
        self._opened.clear()
        log.info("keyring reloaded", key_ids=self.key_ids)


def _session(key: SealingKey, content: _Content) -> Session:
    """The session that the content of a box stands for."""
    session_id = base64.b32encode(content.random)[:26].decode()
    return Session(
        id=session_id,
        principal=Principal(content.issuer, content.subject, content.groups),
        role_arn=content.role_arn,
        name=content.name,
        access_key_id=ACCESS_KEY_PREFIX + session_id[:16],
        secret_access_key=key.secret_access_key(session_id),
        issued_at_s=content.issued_at_s,
        expires_at_s=content.expires_at_s,
        justification=content.justification,
        ticket=content.ticket,
        grant=content.grant,
    )


def _stamp(path: Path) -> tuple[int, ...] | None:
    """What changes when a file is replaced or rewritten; None when it is gone."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _encode(box: bytes) -> bytes:
    return base64.urlsafe_b64encode(box).rstrip(b"=")


def _decode(token: bytes) -> bytes:
    """Undo `_encode`, and accept nothing that it would not have written."""
    try:
        box = base64.urlsafe_b64decode(token + b"=" * (-len(token) % 4))
    except (ValueError, binascii.Error):
        box = b""
    if _encode(box) != token:
        raise _invalid("identity.session_malformed")
    return box


def _invalid(code: str) -> AuthenticationError:
    """One message for all: which check failed is for the operator's log."""
    return AuthenticationError(
        code,
        "The security token included in the request is invalid",
        aws_code="InvalidClientTokenId",
    )
